import type { IncomingMessage, ServerResponse } from 'node:http';
import { z } from 'zod';
import { PersonError } from '../errors.js';
import { readBody, sendJson } from '../http.js';
import { tryParse } from '../json.js';
import { administration, weather } from './admin.js';
import type { Handler, Handlers, PeopleContext } from './context.js';
import { looking } from './look.js';
import { press } from './press.js';
import { type Got, shapes, type Verb } from './protocol.js';
import { react, unreact } from './react.js';
import { say } from './say.js';
import { closeView, submit } from './submit.js';

const handlers: Handlers<Verb> = {
  say,
  react,
  unreact,
  press,
  submit,
  closeView,
  ...looking,
  ...administration,
  ...weather,
};

function run<V extends Verb>(verb: V, body: unknown, context: PeopleContext): Got<V> | Promise<Got<V>> {
  const handler: Handler<V> = handlers[verb];
  return handler(shapes[verb].in.parse(body), context);
}

function isVerb(name: string): name is Verb {
  return Object.hasOwn(shapes, name);
}

/** Answers one request to `/people/VERB`: 200 with the result, 400 with what is not possible. */
export async function handlePeople(
  name: string,
  request: IncomingMessage,
  response: ServerResponse,
  context: PeopleContext,
): Promise<void> {
  const text = (await readBody(request)).toString('utf8');
  if (!isVerb(name)) {
    sendJson(response, 404, { code: 'unknown_verb', message: `People cannot ${name}` });
    return;
  }
  try {
    sendJson(response, 200, await run(name, text === '' ? {} : tryParse(text), context));
  } catch (error) {
    if (error instanceof PersonError) {
      sendJson(response, 400, { code: error.code, message: error.message });
    } else if (error instanceof z.ZodError) {
      sendJson(response, 400, { code: 'bad_request', message: z.prettifyError(error) });
    } else throw error;
  }
}
