import { describe, expect, it } from 'vitest';
import { checkMaven, findJava, kafkaJava, parseJavaMajor, parseMavenVersion } from './prerequisites.js';

describe('the version of Java', () => {
  it.each([
    ['openjdk version "17.0.15" 2025-04-15\nOpenJDK Runtime Environment', 17],
    ['Picked up JAVA_TOOL_OPTIONS: -Xmx1g\nopenjdk version "21" 2023-09-19', 21],
    ['java version "1.8.0_392"', 8],
    ['openjdk version "25-ea" 2025-09-16', 25],
    ['No Java runtime present, requesting install.', undefined],
    ['', undefined],
  ])('in %j is %s', (output, major) => {
    expect(parseJavaMajor(output)).toBe(major);
  });
});

describe('the version of Maven', () => {
  it.each([
    ['Apache Maven 3.8.7', [3, 8]],
    ['\u001b[1mApache Maven 3.9.11 (3e54c93a)\u001b[m\nMaven home: /opt', [3, 9]],
    ['Apache Maven 4.0.0-rc-4', [4, 0]],
    ['mvn: cannot execute', undefined],
  ])('in %j is %j', (output, version) => {
    expect(parseMavenVersion(output)).toEqual(version);
  });
});

describe('what is missing', () => {
  const nothing = { PATH: '/nonexistent' };

  it('is Maven: one sentence says what to install', async () => {
    await expect(checkMaven(nothing)).rejects.toThrow(/^no Maven found on the PATH; install Maven 3\.8 or newer/);
  });

  it('is the JDK at JAVA_HOME: the folder is named', async () => {
    const finding = findJava({ ...nothing, JAVA_HOME: '/nonexistent/jdk' }, kafkaJava);
    await expect(finding).rejects.toThrow(
      'JAVA_HOME is /nonexistent/jdk, but there is no bin/java in it; Kafka 4.3 needs a JDK 17 or newer',
    );
  });

  it('is a Java that is new enough: found and wanted are named', async () => {
    const finding = findJava({ ...nothing }, { major: 99, neededBy: 'a part from the future' });
    await expect(finding).rejects.toThrow(
      /a part from the future needs a JDK 99 or newer: install one or set JAVA_HOME$/,
    );
  });
});
