import type { DescMessage, MessageShape } from '@bufbuild/protobuf';
import { pathToString } from '@bufbuild/protobuf/reflect';
import { createValidator } from '@bufbuild/protovalidate';
import { ApiError } from './api-error.ts';

export type Validate = <M extends DescMessage>(schema: M, message: MessageShape<M>) => void;

const MOST_SHOWN = 20;

/** Checks requests against the limits that the contract states (`buf.validate`). Rules are compiled once per message. */
export function createValidation(): Validate {
  const validator = createValidator();
  return (schema, message) => {
    const result = validator.validate(schema, message);
    if (result.kind === 'valid') return;
    if (result.kind === 'error') throw result.error; // a rule that cannot be evaluated is a fault of the contract
    const fieldViolations = result.violations.slice(0, MOST_SHOWN).map((violation) => ({
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
