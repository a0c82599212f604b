/** A way to be reached by Slack. */
export interface Connection {
  /** Resolves once the first attempt has ended, whether it succeeded or not; further ones are made by itself. */
  start(): Promise<void>;
  stop(): Promise<void>;
  /** Whether Slack can deliver now. */
  connected(): boolean;
  /** The TCP port that is listened on, for HTTP. */
  port(): number | null;
}
