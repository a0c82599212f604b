import type { JsonObject } from './json.js';

/** An answer `{ok: false, error}` of the Web API. */
export class SlackError extends Error {
  override readonly name = 'SlackError';
  readonly code: string;
  readonly details: JsonObject;

  /**
   * @param code - Slack's error code, such as `channel_not_found`
   * @param details - further members of the answer
   */
  constructor(code: string, details: JsonObject = {}) {
    super(code);
    this.code = code;
    this.details = details;
  }
}

/** An error with the list of what is wrong, the way Slack reports rejected blocks, views and arguments. */
export function rejected(code: string, problems: readonly string[]): SlackError {
  return new SlackError(code, {
    errors: [...problems],
    response_metadata: { messages: problems.map((p) => `[ERROR] ${p}`) },
  });
}

/** What a person did is not possible, as Slack's client would tell them. */
export class PersonError extends Error {
  override readonly name = 'PersonError';
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}
