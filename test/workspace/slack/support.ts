import { App, type Logger, LogLevel, SocketModeReceiver } from '@slack/bolt';
import { createPeople, type People } from '../../../workspace/slack/client.js';
import {
  createSlackStandIn,
  type SlackStandIn,
  type SlackStandInOptions,
} from '../../../workspace/slack/server.js';

/** For clients whose failures the test is about. */
export const quiet: Logger = {
  debug() {},
  info() {},
  warn() {},
  error() {},
  setLevel() {},
  getLevel: () => LogLevel.ERROR,
  setName() {},
};

/** A stand-in with its people, and everything that has to end with it. */
export interface Workspace {
  slack: SlackStandIn;
  people: People;
  /** Runs at the end of the test, last come first. */
  onClose(end: () => Promise<unknown>): void;
  close(): Promise<void>;
}

export async function openWorkspace(options: SlackStandInOptions = {}): Promise<Workspace> {
  const slack = await createSlackStandIn(options);
  const ends: (() => Promise<unknown>)[] = [];
  return {
    slack,
    people: createPeople(slack.peopleUrl),
    onClose: (end) => ends.unshift(end),
    async close() {
      for (const end of ends) await end();
      await slack.close();
    },
  };
}

/** A Bolt app in Socket Mode, connected to the stand-in. `prepare` adds the listeners. */
export async function connectBolt(workspace: Workspace, prepare: (app: App) => void): Promise<App> {
  const { slack } = workspace;
  const clientOptions = () => ({ slackApiUrl: slack.url });
  const receiver = new SocketModeReceiver({
    appToken: slack.tokens.app,
    logLevel: LogLevel.ERROR,
    // Reconnects wait for a multiple of this.
    clientPingTimeout: 600,
    installerOptions: { clientOptions: clientOptions() },
  });
  const app = new App({
    token: slack.tokens.bot,
    socketMode: true,
    receiver,
    logLevel: LogLevel.ERROR,
    clientOptions: clientOptions(),
  });
  prepare(app);
  await app.start();
  workspace.onClose(() => app.stop());
  return app;
}
