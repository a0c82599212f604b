import { arrayAt, stringAt } from '../json.js';
import { checkBlocks } from './blocks.js';
import { plainText } from './compositions.js';
import { also, anything, boolean, object, oneOf, problem, type Rule, text, typed } from './rules.js';

const shared = {
  blocks: anything,
  'private_metadata?': text(3000, 0),
  'callback_id?': text(255, 0),
  'external_id?': text(255, 0),
};

const modal = also(
  object({
    type: oneOf('modal'),
    title: plainText(24),
    ...shared,
    'close?': plainText(24),
    'submit?': plainText(24),
    'clear_on_close?': boolean,
    'notify_on_close?': boolean,
    'submit_disabled?': boolean,
  }),
  (view, at, out) => {
    const asks = arrayAt(view, 'blocks').some((b) => stringAt(b, 'type') === 'input');
    if (asks && view.submit === undefined) {
      problem(out, `${at}/submit`, '`submit` is required when an `input` block is within the view');
    }
  },
);

const kinds: Record<'modal' | 'home', Rule> = {
  modal,
  home: object({ type: oneOf('home'), ...shared }),
};

/** What Slack would find wrong with a modal or a Home tab; empty when it would take it. */
export function checkView(view: unknown, kind: 'modal' | 'home'): string[] {
  const out: string[] = [];
  typed({ [kind]: kinds[kind] })(view, '/view', out);
  const blocks = typeof view === 'object' && view !== null && 'blocks' in view ? view.blocks : undefined;
  return blocks === undefined ? out : [...out, ...checkBlocks(blocks, 'view', '/view/blocks')];
}
