import { arrayAt, isObject, type JsonObject, stringAt } from '../json.js';

/** An element that somebody can press, pick from or fill in, with the id of its block. */
export interface Placed {
  blockId: string;
  actionId: string;
  element: JsonObject;
}

/** Every element with an action_id, in the order of reading. */
export function elementsOf(blocks: readonly JsonObject[]): Placed[] {
  return blocks.flatMap((block) =>
    [...arrayAt(block, 'elements'), block.accessory, block.element].flatMap((element) => {
      const actionId = stringAt(element, 'action_id');
      return isObject(element) && actionId !== undefined
        ? [{ blockId: stringAt(block, 'block_id') ?? '', actionId, element }]
        : [];
    }),
  );
}

function optionsOf(element: JsonObject): JsonObject[] {
  const grouped = arrayAt(element, 'option_groups').flatMap((g) => arrayAt(g, 'options'));
  return [...arrayAt(element, 'options'), ...grouped].filter(isObject);
}

/** Members in which menus and inputs keep what a person chose, by the type of element. */
const SELECTED: Record<string, string> = {
  users_select: 'selected_user',
  channels_select: 'selected_channel',
  conversations_select: 'selected_conversation',
  datepicker: 'selected_date',
  timepicker: 'selected_time',
  datetimepicker: 'selected_date_time',
  multi_users_select: 'selected_users',
  multi_channels_select: 'selected_channels',
  multi_conversations_select: 'selected_conversations',
};

/**
 * What an element holds once a person has given it `value`; undefined when the element has no such choice.
 * Menus take the option's value, menus of several take an array of them.
 */
export function chosen(element: JsonObject, value: unknown): JsonObject | undefined {
  const type = stringAt(element, 'type') ?? '';
  const member = SELECTED[type];
  if (member !== undefined) return { [member]: value ?? null };
  if (type === 'button') return element.value === undefined ? {} : { value: element.value };
  if (['static_select', 'external_select', 'radio_buttons', 'overflow'].includes(type)) {
    if (value === undefined || value === null) return { selected_option: element.initial_option ?? null };
    const option = optionsOf(element).find((o) => o.value === value);
    return option === undefined ? undefined : { selected_option: option };
  }
  if (['checkboxes', 'multi_static_select', 'multi_external_select'].includes(type)) {
    if (value === undefined || value === null) return { selected_options: element.initial_options ?? [] };
    const wanted = Array.isArray(value) ? value : [value];
    const options = optionsOf(element).filter((o) => wanted.includes(o.value));
    return options.length === wanted.length ? { selected_options: options } : undefined;
  }
  return { value: value ?? element.initial_value ?? null };
}

/** True when `chosen` says that the person gave nothing. */
export function isEmpty(choice: JsonObject): boolean {
  return Object.values(choice).every((v) => v === null || v === '' || (Array.isArray(v) && v.length === 0));
}
