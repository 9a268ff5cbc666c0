import { BadRequestException } from '@nestjs/common';

/** The fields of a JSON body, or a 400 that says what was expected. */
export function fieldsOf(body: unknown): Record<string, unknown> {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    throw new BadRequestException(
      'The body must be a JSON object (is the header "content-type: application/json" set?)',
    );
  }
  return body as Record<string, unknown>;
}

export function textOf(value: unknown, name: string, maxLength: number): string {
  if (typeof value !== 'string' || value.trim() === '' || value.length > maxLength) {
    throw new BadRequestException(`"${name}" must be a text of 1 to ${maxLength} characters`);
  }
  return value.trim();
}

/** A name that is safe as one segment of a topic name and of a path. */
export function nameOf(value: unknown, name: string): string {
  if (typeof value !== 'string' || !/^[a-z0-9-]{1,36}$/.test(value)) {
    throw new BadRequestException(`"${name}" must be 1 to 36 of the characters a-z, 0-9 and "-"`);
  }
  return value;
}

export function countOf(value: unknown, name: string, max: number): number {
  if (!Number.isInteger(value) || (value as number) < 1 || (value as number) > max) {
    throw new BadRequestException(`"${name}" must be a whole number from 1 to ${max}`);
  }
  return value as number;
}

export function oneOf<T extends string>(value: unknown, name: string, choices: readonly T[]): T {
  if (!choices.includes(value as T)) {
    throw new BadRequestException(`"${name}" must be one of: ${choices.join(', ')}`);
  }
  return value as T;
}
