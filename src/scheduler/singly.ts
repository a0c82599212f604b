/** One at a time; asked for in between, it is done once more afterwards. What is returned never throws. */
export function singly(work: () => Promise<void>, onError: (error: unknown) => void): () => void {
  let running = false;
  let again = false;
  return function ask(): void {
    again = true;
    if (running) return;
    running = true;
    void (async () => {
      while (again) {
        again = false;
        await work().catch(onError);
      }
      running = false;
    })();
  };
}
