import { describe, expect, test } from 'vitest';
import { createRedactor, MASK } from '../src/redact.js';

const { redact } = createRedactor([]);

/** `«…»` marks what must be hidden; everything else must stay. */
function marked(text: string): readonly [text: string, shown: string] {
  return [text.replace(/[«»]/g, ''), text.replace(/«[^»]*»/g, MASK)];
}

describe('SQL that sets a password keeps everything but the literal', () => {
  test.each([
    "create role app login password '«hunter2»'",
    "CREATE ROLE app LOGIN PASSWORD '«hunter2»';",
    "ALTER ROLE app WITH ENCRYPTED PASSWORD '«correct horse»' VALID UNTIL '2027-01-01'",
    "alter user app unencrypted password '«x»', note 'y'",
    "ALTER ROLE app PASSWORD\n  '«hunter2»'\n  CREATEDB",
    "ALTER ROLE app PASSWORD/* new */'«hunter2»'",
    "ALTER ROLE app PASSWORD -- new\n '«hunter2»'",
    "ALTER ROLE app PASSWORD E'«hun\\'ter2»' CREATEDB",
    "ALTER ROLE app PASSWORD e'«hunter2»'",
    "ALTER ROLE app PASSWORD U&'«hunt\\0065r2»'",
    'ALTER ROLE app PASSWORD $$«hunter2»$$ CREATEDB',
    "ALTER ROLE app PASSWORD $pw$«hun$$ter'2»$pw$; DROP TABLE a",
    "ALTER ROLE app PASSWORD '«it''s»'; DROP TABLE a",
    "ALTER ROLE app PASSWORD '«''»'; DROP TABLE a",
    // A backslash is a character like others in standard SQL: what follows must be read.
    "ALTER ROLE app PASSWORD '«x\\»'; DROP TABLE a; SELECT 'b'",
    "ALTER ROLE app PASSWORD ''; DROP TABLE a; SELECT ''",
    "CREATE USER MAPPING FOR app SERVER s OPTIONS (user 'x', password '«hunter2»')",
    "ALTER USER MAPPING FOR app SERVER s OPTIONS (SET password '«hunter2»', SET user 'x')",
    'OPTIONS ("user" \'x\', "password" \'«hunter2»\')',
    "CREATE SERVER s FOREIGN DATA WRAPPER w OPTIONS (host 'h', aws_secret_access_key '«abc/def»')",
    "OPTIONS (url 'h', token '«abc»', access_token '«def»')",
    "CREATE SUBSCRIPTION s CONNECTION 'host=h user=u password=«hunter2» dbname=d' PUBLICATION p",
    "CREATE SUBSCRIPTION s CONNECTION 'host=h password=''«a b»'' dbname=d' PUBLICATION p",
    "CREATE SUBSCRIPTION s CONNECTION 'host=h password=\\'«a b»\\' dbname=d'",
    "CREATE SUBSCRIPTION s CONNECTION 'postgresql://u:«hunter2»@h/d' PUBLICATION p",
    "select dblink_connect('host=h password=«a\\ b» dbname=d')",
    "DO $$ BEGIN EXECUTE 'ALTER ROLE app PASSWORD ''«hunter2»'' CREATEDB'; END $$",
    "DO $$ BEGIN EXECUTE 'ALTER ROLE app PASSWORD ''«it''''s»'''; END $$",
    "DO $$ BEGIN EXECUTE 'ALTER ROLE app\n  -- don''t\n  PASSWORD ''«hunter2»'' CREATEDB'; END $$",
    "EXECUTE format('ALTER ROLE %I PASSWORD %L', '«app»', '«hunter2»'); SELECT 'b'",
    "EXECUTE 'ALTER ROLE app PASSWORD ' || quote_literal('«hunter2»'); SELECT 'b'",
    "set_config('app.token', '«hunter2»', false)",
    "select SET_CONFIG( 'my.db_password' , '«hunter2»', true), 'b'",
    "SET SESSION my.secret = '«hunter2»'; SELECT 'b'",
    "ALTER DATABASE d SET app.jwt_secret TO '«hunter2»'",
    "UPDATE users SET password = '«it''s»' WHERE name = 'a'",
    "UPDATE users SET password = E'«x»' WHERE name = 'a'",
    "UPDATE users SET password = crypt('«hunter2»', gen_salt('«bf»')) WHERE name = 'a'",
    "INSERT INTO users VALUES ('a', crypt('«hunter2»', gen_salt('«bf»')), 'b')",
    "COPY users FROM 's3' WITH (secret_key '«abc»')",
    "ALTER ROLE app PASSWORD '«SCRAM-SHA-256$4096:c2FsdA==$c3RvcmVk:c2VydmVy»'",
    "values ('app', '«SCRAM-SHA-256$4096:c2FsdA==$c3RvcmVk:c2VydmVy»')",
    'Key (email, token)=(«a@b, xyz») already exists.',
  ])('%s', (text) => {
    const [given, shown] = marked(text);
    expect(redact(given)).toBe(shown);
    expect(redact(shown)).toBe(shown);
    const upper = marked(
      text.replace(/password|options|set_config|secret|token/gi, (word) => word.toUpperCase()),
    );
    expect(redact(upper[0])).toBe(upper[1]);
  });
});

describe('SQL without a secret stays as it is', () => {
  test.each([
    'ALTER ROLE app PASSWORD NULL',
    'ALTER TABLE users ADD COLUMN password varchar(20)',
    "ALTER TABLE users ADD COLUMN password text NOT NULL DEFAULT ''",
    'ALTER TABLE users ALTER COLUMN token TYPE uuid USING token::uuid',
    'CREATE TABLE t (id int, password bytea, "token" text, secret "char")',
    "CREATE INDEX i ON t (password, token); SELECT 'b'",
    "COMMENT ON COLUMN users.password IS 'bcrypt, never shown'",
    "SELECT 'password', 'token', 'secret' FROM t WHERE a = 'b'",
    "INSERT INTO kinds (name) VALUES ('password'), ('token')",
    "SELECT 'the password ' || email || ' of' FROM users",
    'UPDATE users SET password = $1, token = excluded.token WHERE id = $2',
    'UPDATE users SET password = NULL, secret = t.secret FROM t',
    "SET password_encryption = 'scram-sha-256'",
    "ALTER ROLE app SET search_path TO 'a', 'b'",
    "ALTER ROLE app PASSWORD ''CREATEDB; DROP TABLE a; SELECT ''",
    "SELECT 'don''t'; ALTER ROLE app PASSWORD ''CREATEDB; DROP TABLE a; SELECT ''",
    "-- don't\nALTER ROLE app PASSWORD ''CREATEDB; DROP TABLE a; SELECT ''",
  ])('%s', (text) => {
    expect(redact(text)).toBe(text);
  });

  test('a migration of many statements loses its literals only', () => {
    const [given, shown] = marked(
      [
        'BEGIN;',
        "CREATE ROLE app LOGIN PASSWORD '«Tr0ub4dor&3»' CONNECTION LIMIT 5;",
        'ALTER TABLE users ADD COLUMN password varchar(20);',
        "COMMENT ON COLUMN users.password IS 'don''t show';",
        "ALTER ROLE app SET app.token TO '«abc»';",
        "UPDATE accounts SET state = 'open' WHERE state = 'new';",
        'COMMIT;',
      ].join('\n'),
    );
    expect(redact(given)).toBe(shown);
  });
});

describe('the same in what programs print', () => {
  test.each([
    'password: «hunter2»',
    'db:\n  user: app\n  password: «correct horse battery» # of staging\n  port: 1',
    '- admin_password: «x»',
    'export: {user: app, password: «hunter2», port: 1}',
    'INFO connecting with user=app password: «hunter2»',
    'Generated password: «Xy12»',
    'X-Api-Key: «abc»',
    'X-Auth-Token: «abc»',
    "{'user': 'app', 'password': '«it\\'s»', 'port': 1}",
    "[parameters: {'db_password': '«hunter2»'}]",
    'op.execute("ALTER ROLE app PASSWORD \'«hunter2»\'")',
    "op.execute('ALTER ROLE app PASSWORD \\'«hunter2»\\' CREATEDB')",
    'op.execute("ALTER ROLE app PASSWORD %s", ("«hunter2»",))',
    `{"sql":"ALTER ROLE app PASSWORD '«hunter2»'","n":1}`,
    `{"sql":"op.execute('ALTER ROLE app PASSWORD \\\\'«hunter2»\\\\'')","n":1}`,
    'tool --password «hunter2» --db-token=«abc» run',
    "argv ['tool', '--password', '«hunter2»', 'run']",
    'argv ["tool","--api-key","«hunter2»","run"]',
    "can't set password '«hunter2»' for the role",
    'dsn "host=h password=«a\\ b» dbname=d"',
  ])('%s', (text) => {
    const [given, shown] = marked(text);
    expect(redact(given)).toBe(shown);
    expect(redact(shown)).toBe(shown);
  });

  test.each([
    'Password for user app: ',
    'could not read password: Permission denied',
    'FATAL: invalid password: authentication failed for user "app"',
    'def connect(user: str, password: str = None, token: Optional[str] = None):',
    'pg_dump --format=custom --no-password --lock-wait-timeout=5 app',
    'psql --password --host h',
    'SyntaxError: Unexpected token: }',
    `Unexpected token '<', "<!DOCTYPE" is not valid JSON`,
    "syntax error at or near token 'x'",
    'null value in column "password" of relation "users" violates not-null constraint',
    'secret: null, password: ""',
    'https://token:8080/path',
  ])('and what is no secret stays: %s', (text) => {
    expect(redact(text)).toBe(text);
  });
});

describe('private keys and URLs that were cut', () => {
  const body = 'MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQ';
  test.each([
    [`done\n${body}\n${body}==\n-----END PRIVATE KEY-----\nnext`, `done\n${MASK}\nnext`],
    [`…${body}\n-----END RSA PRIVATE KEY-----`, `…${MASK}`],
    ['connecting to postgresql://app:hun…', `connecting to postgresql://app:${MASK}…`],
    [
      'starts tool postgresql+psycopg2://app:hunter2... and more',
      `starts tool postgresql+psycopg2://app:${MASK}... and more`,
    ],
    ['(redis://:12…)', `(redis://:${MASK}…)`],
    ['could not connect to postgresql://app:hunt', `could not connect to postgresql://app:${MASK}`],
  ])('%j', (text, shown) => {
    expect(redact(text)).toBe(shown);
    expect(redact(shown)).toBe(shown);
  });

  test.each([
    'see https://h:3000',
    'see https://h:3000.',
    'http://[::1]:80',
    'https://h…',
    '-----END PRIVATE KEY-----',
  ])('nothing is hidden in %s', (text) => {
    expect(redact(text)).toBe(text);
  });
});
