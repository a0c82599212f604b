import type { Manifest } from './manifest.js';
import type { World } from './world.js';

/** What Web API methods work with. */
export interface ApiContext {
  world: World;
  manifest: Manifest;
  /** `http://127.0.0.1:PORT`, for addresses that the stand-in hands out. */
  origin(): string;
  /** Makes a one-time address for a Socket Mode connection. */
  socketUrl(): string;
}
