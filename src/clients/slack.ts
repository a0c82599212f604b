import {
  LogLevel,
  WebAPIHTTPError,
  WebAPIPlatformError,
  WebAPIRateLimitedError,
  WebAPIRequestError,
  WebClient,
} from '@slack/web-api';
import { z } from 'zod';

/** A file that is shared into a channel or a thread. */
export interface FileToShare {
  readonly channel: string;
  /** The thread's first message; a reply's own timestamp is not a thread. */
  readonly threadTs?: string;
  readonly filename: string;
  readonly title: string;
  readonly content: string;
}

/** The narrow way to Slack's Web API. Answers are unknown: each caller parses what it reads. */
export interface Slack {
  /**
   * Calls one method, once: no retries of its own.
   * @throws SlackCallError
   */
  call(method: string, args: Readonly<Record<string, unknown>>): Promise<unknown>;
  /**
   * Shares a text file. Slack answers before the message that shows it stands, so only the file is known.
   * @returns the file's id, such as `F0ABC`
   * @throws SlackCallError
   */
  share(file: FileToShare): Promise<string>;
}

/** Why a call gave no answer that can be used. */
export type SlackFailure =
  /** Slack said no, with its error code. */
  | { readonly kind: 'refused'; readonly code: string; readonly details: readonly string[] }
  /** Too many calls: none of this method before this many ms have passed. */
  | { readonly kind: 'limited'; readonly retryAfterMs: number }
  /** No answer, or one of a broken server: the call may have been carried out or not. */
  | { readonly kind: 'ambiguous'; readonly why: string };

export class SlackCallError extends Error {
  override readonly name = 'SlackCallError';
  constructor(
    readonly method: string,
    readonly failure: SlackFailure,
    options?: ErrorOptions,
  ) {
    super(`Slack ${method}: ${failureWords(failure)}`, options);
  }
}

function failureWords(failure: SlackFailure): string {
  switch (failure.kind) {
    case 'refused':
      return [failure.code, ...failure.details].join('; ');
    case 'limited':
      return `too many calls, wait ${failure.retryAfterMs} ms`;
    case 'ambiguous':
      return failure.why;
  }
}

export interface SlackOptions {
  readonly token: string;
  /** Base of the Web API, such as `https://slack.com/api/`. */
  readonly apiUrl: string;
  /** Longest wait for one answer, ms. */
  readonly timeoutMs: number;
}

/**
 * A client without retries and without its own queue for rate limits: one 429 would otherwise hold up every
 * later call of the client, and a call retried after a timeout may be carried out twice.
 */
export function createSlack(options: SlackOptions): Slack {
  const client = new WebClient(options.token, {
    slackApiUrl: options.apiUrl,
    timeout: options.timeoutMs,
    retryConfig: { retries: 0 },
    rejectRateLimitedCalls: true,
    logger: silent,
  });
  return {
    call: (method, args) => attempt(method, () => client.apiCall(method, { ...args })),
    async share(file) {
      const what = { filename: file.filename, title: file.title, content: file.content };
      const where = { channel_id: file.channel };
      const { threadTs } = file;
      return attempt('files.uploadV2', async () => {
        const answer = await client.filesUploadV2(
          threadTs === undefined ? { ...what, ...where } : { ...what, ...where, thread_ts: threadTs },
        );
        const [id] = Shared.parse(answer).files.flatMap((each) => each.files.map((shared) => shared.id));
        if (id === undefined) throw new Error('Slack shared a file and did not say which');
        return id;
      });
    },
  };
}

const Shared = z.object({ files: z.array(z.object({ files: z.array(z.object({ id: z.string() })) })) });

async function attempt<T>(method: string, call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    throw new SlackCallError(method, failureOf(error), { cause: error });
  }
}

function failureOf(error: unknown): SlackFailure {
  if (error instanceof WebAPIRateLimitedError) {
    return { kind: 'limited', retryAfterMs: error.retryAfter * 1_000 };
  }
  if (error instanceof WebAPIPlatformError) {
    const details = error.data.response_metadata?.messages ?? [];
    return { kind: 'refused', code: error.data.error, details };
  }
  if (error instanceof WebAPIHTTPError) {
    return { kind: 'ambiguous', why: `HTTP status ${error.statusCode}` };
  }
  if (error instanceof WebAPIRequestError) {
    const { cause } = error.original;
    const why =
      cause instanceof Error ? `${error.original.message}: ${cause.message}` : error.original.message;
    return { kind: 'ambiguous', why };
  }
  return { kind: 'ambiguous', why: error instanceof Error ? error.message : String(error) };
}

/** Errors are thrown and told by whoever catches them; the client's own lines would only repeat them. */
const silent = {
  debug() {},
  info() {},
  warn() {},
  error() {},
  setLevel() {},
  setName() {},
  getLevel: () => LogLevel.ERROR,
};
