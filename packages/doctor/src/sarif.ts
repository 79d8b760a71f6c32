import { catalogue } from './catalogue.ts';
import type { Report } from './report.ts';

/** The findings as SARIF 2.1.0, for tools that gather results. Rules are the findings' own; locations are addresses. */
export function sarifReport(report: Report, version: string): Readonly<Record<string, unknown>> {
  const ids = [...new Set(report.findings.map(({ id }) => id))];
  const rules = ids.map((id) => {
    const { title, fix, rule, severity, step } = catalogue[id];
    return {
      id,
      name: id,
      shortDescription: { text: title },
      fullDescription: { text: `${rule.source}, ${rule.section}: ${rule.says}` },
      help: { text: fix },
      defaultConfiguration: { level: severity },
      properties: { tags: [step] },
    };
  });
  const results = report.findings.map((finding) => ({
    ruleId: finding.id,
    ruleIndex: ids.indexOf(finding.id),
    level: finding.severity,
    message: { text: `${finding.message} Seen: ${finding.evidence}` },
    locations: [
      { physicalLocation: { artifactLocation: { uri: uriOf(finding.url, report.target) } } },
    ],
    properties: { fix: finding.fix, step: finding.step },
  }));
  return {
    $schema: 'https://json.schemastore.org/sarif-2.1.0.json',
    version: '2.1.0',
    runs: [
      {
        tool: { driver: { name: 'gatewarden-doctor', version, rules } },
        invocations: [{ executionSuccessful: report.reachable }],
        results,
      },
    ],
  };
}

/** A location has to be a valid URI reference; what a server calls an address need not be one. */
function uriOf(text: string, otherwise: string): string {
  return URL.canParse(text) ? new URL(text).href : otherwise;
}
