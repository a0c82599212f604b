import { isObject, type JsonObject } from '../json.js';

/**
 * A rule looks at one value and appends what is wrong with it, in Slack's words, to `out`.
 *
 * @param at - JSON pointer of the value, such as `/blocks/0/text`
 */
export type Rule = (value: unknown, at: string, out: string[]) => void;

/** Appends a problem the way Slack words it. */
export function problem(out: string[], at: string, text: string): void {
  out.push(`${text} [json-pointer:${at}]`);
}

/** A string of `min` to `max` characters. Slack counts UTF-16 units, as JavaScript does. */
export function text(max: number, min = 1): Rule {
  return (value, at, out) => {
    if (typeof value !== 'string') return problem(out, at, 'must provide a string');
    if (value.length < min) problem(out, at, `must be more than ${min - 1} characters`);
    if (value.length > max) problem(out, at, `must be less than ${max + 1} characters`);
  };
}

/** A whole number between two bounds. */
export function integer(min: number, max: number): Rule {
  return (value, at, out) => {
    if (!Number.isInteger(value)) problem(out, at, 'must provide an integer');
    else if (Number(value) < min || Number(value) > max)
      problem(out, at, `must be between ${min} and ${max}`);
  };
}

export const boolean: Rule = (value, at, out) => {
  if (typeof value !== 'boolean') problem(out, at, 'must provide a boolean');
};

export const anything: Rule = () => {};

/** One of some strings. */
export function oneOf(...allowed: string[]): Rule {
  return (value, at, out) => {
    if (typeof value !== 'string' || !allowed.includes(value)) {
      problem(out, at, `must be a valid enum value (${allowed.join(', ')})`);
    }
  };
}

/** A web address. Slack takes http, https and a few application schemes. */
export const url: Rule = (value, at, out) => {
  text(3000)(value, at, out);
  if (typeof value === 'string' && value !== '' && !/^[a-z][a-z0-9+.-]*:/i.test(value)) {
    problem(out, at, 'must be a valid url');
  }
};

/** A list of `min` to `max` items, each under `rule`. */
export function list(rule: Rule, max: number, min = 1): Rule {
  return (value, at, out) => {
    if (!Array.isArray(value)) return problem(out, at, 'must provide an array');
    if (value.length < min) problem(out, at, `no less than ${min} items allowed`);
    if (value.length > max) problem(out, at, `no more than ${max} items allowed`);
    value.forEach((item, i) => {
      rule(item, `${at}/${i}`, out);
    });
  };
}

/** Fields of an object: those whose name ends with `?` may be missing, all others must be there. */
export type Fields = Readonly<Record<string, Rule>>;

/** An object with these fields and no others. Slack refuses fields that it does not know. */
export function object(fields: Fields): Rule {
  const known = new Map(Object.entries(fields).map(([name, rule]) => [name.replace(/\?$/, ''), rule]));
  const required = Object.keys(fields).filter((name) => !name.endsWith('?'));
  return (value, at, out) => {
    if (!isObject(value)) return problem(out, at, 'must provide an object');
    for (const name of required) {
      if (value[name] === undefined) problem(out, at, `missing required field: ${name}`);
    }
    for (const [name, member] of Object.entries(value)) {
      const rule = known.get(name);
      if (!rule) problem(out, at, `invalid additional property: ${name}`);
      // A JSON null stands for "not given" wherever a field is optional.
      else if (member !== undefined && !(member === null && !required.includes(name))) {
        rule(member, `${at}/${name}`, out);
      }
    }
  };
}

/** An object whose `type` picks its rule among `kinds`. */
export function typed(kinds: Readonly<Record<string, Rule>>): Rule {
  return (value, at, out) => {
    if (!isObject(value)) return problem(out, at, 'must provide an object');
    if (typeof value.type !== 'string') return problem(out, at, 'missing required field: type');
    const rule = Object.hasOwn(kinds, value.type) ? kinds[value.type] : undefined;
    if (rule) rule(value, at, out);
    else problem(out, `${at}/type`, `unsupported type: ${value.type}`);
  };
}

/** Adds a check of the whole object to a rule. */
export function also(rule: Rule, check: (value: JsonObject, at: string, out: string[]) => void): Rule {
  return (value, at, out) => {
    rule(value, at, out);
    if (isObject(value)) check(value, at, out);
  };
}
