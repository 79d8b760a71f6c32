import type { DescMessage, MessageShape } from '@bufbuild/protobuf';
import { pathToString } from '@bufbuild/protobuf/reflect';
import { createValidator, type Violation } from '@bufbuild/protovalidate';
import { ApiError } from './api-error.ts';

export type Validate = <M extends DescMessage>(schema: M, message: MessageShape<M>) => void;

const MOST_SHOWN = 20;

/** An empty value takes a claim away, says the contract in words; its rule for values is that of the message that makes a key. */
const LOOSER: Readonly<Record<string, RegExp>> = {
  'scalekit.v1.tokens.UpdateTokenRequest': /^custom_claims\[.*\] string\.min_len$/s,
};

/** Checks requests against the limits that the contract states (`buf.validate`). Rules are compiled once per message. */
export function createValidation(): Validate {
  const validator = createValidator();
  return (schema, message) => {
    const result = validator.validate(schema, message);
    if (result.kind === 'valid') return;
    if (result.kind === 'error') throw result.error; // a rule that cannot be evaluated is a fault of the contract
    const violations = result.violations
      .filter((violation) => violation.forKey || !isLooser(schema, violation))
      .slice(0, MOST_SHOWN);
    if (violations.length === 0) return;
    const fieldViolations = violations.map((violation) => ({
      field: pathToString(violation.field),
      description: violation.message,
      constraint: violation.ruleId,
    }));
    const summary = fieldViolations.map(({ field, description }) =>
      field === '' ? description : `${field}: ${description}`,
    );
    throw new ApiError('invalid_argument', 'VALIDATION_FAILED', summary.join('; '), {
      fieldViolations,
    });
  };
}

function isLooser({ typeName }: DescMessage, { field, ruleId }: Violation): boolean {
  return LOOSER[typeName]?.test(`${pathToString(field)} ${ruleId}`) === true;
}
