interface LockedPackage {
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
  readonly peerDependenciesMeta?: Readonly<Record<string, { readonly optional?: boolean }>>;
  readonly [field: string]: unknown;
}

export interface PackageLock {
  readonly name: string;
  readonly version: string;
  readonly packages: Readonly<Record<string, LockedPackage>>;
  readonly [field: string]: unknown;
}

export interface PackageManifest {
  readonly name: string;
  readonly version: string;
  readonly license?: string;
  readonly dependencies: Readonly<Record<string, string>>;
  readonly [field: string]: unknown;
}

export interface Subset {
  readonly manifest: PackageManifest;
  readonly lock: PackageLock;
}

/**
 * The manifest and the lock of a program that needs these packages: the same versions and digests as everywhere, and nothing beside them.
 * @throws Error naming a package that the lock does not have.
 */
export function packageSubset(
  manifest: PackageManifest,
  lock: PackageLock,
  name: string,
  wanted: readonly string[],
): Subset {
  const dependencies = Object.fromEntries(
    wanted.map((one) => [one, manifest.dependencies[one] ?? missing(one, 'package.json')]),
  );
  const { version, license } = manifest;
  const head = { name: `tributary-${name}`, version, ...(license && { license }) };
  const kept = closure(lock, Object.keys(dependencies));
  const packages = Object.fromEntries([...kept].sort().map((path) => [path, unmarked(lock.packages[path] ?? {})]));
  return {
    manifest: { ...head, private: true, type: 'module', dependencies },
    lock: { ...lock, name: head.name, packages: { '': { ...head, dependencies }, ...packages } },
  };
}

/** Keys of the lock: everything that these need, where Node would find it. */
function closure({ packages }: PackageLock, names: readonly string[]): Set<string> {
  const kept = new Set<string>();
  const open = names.map((name) => locate(packages, '', name) ?? missing(name, 'package-lock.json'));
  for (let path = open.pop(); path !== undefined; path = open.pop()) {
    if (kept.has(path)) continue;
    kept.add(path);
    const {
      dependencies = {},
      optionalDependencies = {},
      peerDependencies = {},
      peerDependenciesMeta = {},
    } = packages[path] ?? {};
    for (const name of Object.keys({ ...dependencies, ...optionalDependencies, ...peerDependencies })) {
      if (peerDependenciesMeta[name]?.optional === true) continue;
      const found = locate(packages, path, name);
      if (found) open.push(found);
      else if (!(name in optionalDependencies)) missing(name, `package-lock.json, where ${path} needs it`);
    }
  }
  return kept;
}

/** As Node looks: beside what imports it, then outwards. */
function locate(packages: PackageLock['packages'], from: string, name: string): string | undefined {
  for (let at = from; ; at = at.slice(0, Math.max(0, at.lastIndexOf('/node_modules/')))) {
    const path = `${at === '' ? '' : `${at}/`}node_modules/${name}`;
    if (packages[path]) return path;
    if (at === '') return undefined;
  }
}

/** Needed here, whatever else needs it only for development. */
function unmarked({ dev: _, devOptional: __, peer: ___, ...rest }: LockedPackage): LockedPackage {
  return rest;
}

function missing(name: string, place: string): never {
  throw new Error(`${name} is not in ${place}: run \`npm install\``);
}
