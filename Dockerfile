# syntax=docker/dockerfile:1
# One image for each program: docker build --build-arg APP=ingress .  `node dist/tools/image/main.js` lists them; `cli` is the command line.
# Pin both by digest in production: --build-arg RUNTIME_IMAGE=gcr.io/distroless/nodejs24-debian12@sha256:...
ARG BUILD_IMAGE=node:24-bookworm-slim
ARG RUNTIME_IMAGE=gcr.io/distroless/nodejs24-debian12:nonroot

FROM ${BUILD_IMAGE} AS build
WORKDIR /tributary
COPY package.json package-lock.json .npmrc ./
# No install scripts: they fetch a second Node and PostgreSQL, which only `npm start` and the tests use.
RUN npm ci --ignore-scripts
COPY . .
RUN node tools/build/build.mjs --force

# What the program imports and the packages that needs, nothing else; and the list of them.
FROM build AS tree
ARG APP
RUN node dist/tools/image/main.js "${APP:?give --build-arg APP=<program>}" /app
WORKDIR /app
RUN npm ci --omit=dev --ignore-scripts && npm sbom --omit=dev --sbom-format=cyclonedx > sbom.json && mkdir .compile-cache /keys

# By the Node, the user and the flags that it will run with: the cache is of no use to others.
FROM ${RUNTIME_IMAGE} AS compiled
COPY --from=tree --chown=65532:65532 /app /app
COPY --from=build /tributary/tools/image/bake.mjs /bake.mjs
USER 65532:65532
RUN ["/nodejs/bin/node", "/bake.mjs", "/app", "--max-semi-space-size=8", "--heap-growing-percent=100"]

FROM ${RUNTIME_IMAGE}
ARG APP
LABEL org.opencontainers.image.title="tributary-${APP}" org.opencontainers.image.licenses="Apache-2.0"
WORKDIR /app
COPY --from=compiled --chown=0:0 /app ./
# A named volume that is mounted here takes over this owner, so that `prepare` may write keys into it.
COPY --from=tree --chown=65532:65532 /keys /keys
ENV NODE_ENV=production NODE_COMPILE_CACHE=/app/.compile-cache
USER 65532:65532
EXPOSE 8080
# No shell and no npm in between: this process receives SIGTERM.
ENTRYPOINT ["/nodejs/bin/node", "--max-semi-space-size=8", "--heap-growing-percent=100", "/app/main.js"]
