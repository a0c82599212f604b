import type { Dispatcher } from 'undici';

export interface Answer {
  readonly status: number;
  readonly location: string | null;
  /** The beginning of the body, when the status made it worth reading; empty otherwise. */
  readonly text: string;
}

export interface Exchange {
  readonly answer: Promise<Answer>;
  /** Breaks it off wherever it stands; `answer` rejects with `error` unless it is there already. */
  end(error: Error): void;
}

export interface ExchangeOptions {
  readonly url: URL;
  readonly method: Dispatcher.HttpMethod;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | null;
  /** How many bytes of a body with this status are read and kept; 0: none is kept, and its end is waited for. */
  readonly kept: (status: number) => number;
}

/** A body that nobody wants is read to its end, since the connection is used again, unless it is longer than this. */
const LONGEST_BYTES = 64 * 1024;

/**
 * One request and its answer, by undici's callbacks: its `request` makes a stream and a promise for each answer,
 * which takes half as much time again, and here are thousands a second. No redirect is followed. It knows no
 * time-out: whoever asks ends it.
 */
export function exchange(dispatcher: Dispatcher, options: ExchangeOptions): Exchange {
  const { url, method, headers, body, kept } = options;
  let settled = false;
  let controller: Dispatcher.DispatchController | null = null;
  let status = 0;
  let location: string | null = null;
  let keep = 0;
  let bytes = 0;
  const chunks: Buffer[] = [];
  let resolve: (answer: Answer) => void = () => undefined;
  let reject: (error: Error) => void = () => undefined;
  const answer = new Promise<Answer>((fulfil, fail) => {
    resolve = fulfil;
    reject = fail;
  });

  function complete(): void {
    settled = true;
    const text = keep === 0 ? '' : Buffer.concat(chunks).subarray(0, keep).toString('utf8');
    resolve({ status, location, text });
  }

  function end(error: Error): void {
    if (settled) return;
    settled = true;
    reject(error);
    controller?.abort(error);
  }

  const handler: Dispatcher.DispatchHandler = {
    onRequestStart(own) {
      controller = own;
      // It was ended while it waited for a connection: then nothing of it is sent.
      if (settled) own.abort(new Error('ended before it began'));
    },
    onResponseStart(_own, code, fields) {
      // 1xx is not the answer yet.
      if (code < 200) return;
      status = code;
      location = typeof fields.location === 'string' ? fields.location : null;
      keep = kept(code);
    },
    onResponseData(own, chunk) {
      if (settled) return;
      bytes += chunk.length;
      if (keep > 0) chunks.push(chunk);
      if (bytes < (keep > 0 ? keep : LONGEST_BYTES)) return;
      complete();
      // Closes the connection, which a receiver that goes on and on deserves.
      own.abort(new Error('enough was read'));
    },
    onResponseEnd() {
      if (!settled) complete();
    },
    onResponseError(_own, error) {
      if (settled) return;
      // A refusal is one, though its explanation broke off.
      if (keep > 0) return complete();
      settled = true;
      reject(error);
    },
  };
  try {
    dispatcher.dispatch(
      {
        origin: url.origin,
        path: `${url.pathname}${url.search}`,
        method,
        headers,
        body,
        headersTimeout: 0,
        bodyTimeout: 0,
      },
      handler,
    );
  } catch (error) {
    end(error instanceof Error ? error : new Error(String(error)));
  }
  return { answer, end };
}
