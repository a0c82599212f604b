/** Where Slack takes answers, in its commercial and its government cloud. */
const HOOKS = ['https://hooks.slack.com', 'https://hooks.slack-gov.com'];

/**
 * Why an answer must not be posted to this address; null when it may. What a delivery names as its `response_url` is told
 * the state of a migration, so it has to be Slack.
 * @param apiUrl base of the Web API: what stands in for Slack there takes answers too
 */
export function refuseResponseUrl(url: string, apiUrl: string): string | null {
  if (!URL.canParse(url)) return 'it is no URL';
  const { origin, username, password } = new URL(url);
  if (username !== '' || password !== '') return 'it holds a user or password';
  return [...HOOKS, new URL(apiUrl).origin].includes(origin) ? null : `it leads to ${origin}, not to Slack`;
}
