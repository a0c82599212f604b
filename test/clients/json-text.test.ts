import fc from 'fast-check';
import { expect, it } from 'vitest';
import { compactJson, jsonMembers } from '../../src/clients/json-text.js';

it('takes white space away and nothing else', () => {
  fc.assert(
    fc.property(fc.json(), (text) => {
      const spaced = JSON.stringify(JSON.parse(text), null, 3);
      expect(compactJson(spaced)).toBe(JSON.stringify(JSON.parse(text)));
    }),
  );
  expect(compactJson('{ "a b" : [ 1.10 , "\\" \\" ," ] }')).toBe('{"a b":[1.10,"\\" \\" ,"]}');
});

it('finds each member as the text that it is', () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (value) => {
      const members = jsonMembers(JSON.stringify(value, null, 1));
      expect([...(members ?? [])]).toEqual(
        Object.entries(value).map(([name, each]) => [name, JSON.stringify(each)]),
      );
    }),
  );
});

it('takes strings of many megabytes', () => {
  const long = `${'\\"é'.repeat(4_000_000)}\\\\`;
  expect(compactJson(`{ "a": "${long}" , "b": 1 }`)).toBe(`{"a":"${long}","b":1}`);
});

it('keeps digits that a number would lose, and names that an object would hide', () => {
  const members = jsonMembers(
    '{"id": 9007199254740993, "e": 1e400, "__proto__": {"n": 0.10}, "o": {"id": 1}}',
  );
  expect(members?.get('id')).toBe('9007199254740993');
  expect(members?.get('e')).toBe('1e400');
  expect(members?.get('__proto__')).toBe('{"n":0.10}');
  expect(jsonMembers('[1]')).toBeNull();
  expect(jsonMembers('{}')).toEqual(new Map());
});
