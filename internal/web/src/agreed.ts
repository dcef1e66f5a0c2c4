// A text on which all tabs of the origin agree at any moment.
//
// localStorage does not do for that: what one tab writes reaches the process of another a little later, so a tab that
// has just been given a lock may still read what was there before. IndexedDB has its transactions in one place.

const STORE = "texts";
/** For so long the browser is waited for, in ms: see HOLD in alone.ts. */
const PATIENCE = 2_000;

/** Returns the text that was written last under a name, or an empty one. It fails where there is no IndexedDB, or none that answers. */
export const agreed = (name: string): Promise<string> =>
  within<string>((s) => s.get(name)).then((v) => v ?? "");

/** Writes a text. All tabs read it from the moment on at which the promise is kept. */
export const agree = (name: string, text: string): Promise<unknown> => within((s) => s.put(text, name));

function within<T>(ask: (s: IDBObjectStore) => IDBRequest): Promise<T> {
  return new Promise((resolve, reject) => {
    const open = indexedDB.open("rushgate", 1);
    // It may never be answered, while other tabs wait for this one. What is answered later is not gone on with.
    setTimeout(() => reject(open.onsuccess = null), PATIENCE);
    open.onupgradeneeded = () => open.result.createObjectStore(STORE);
    open.onerror = reject;
    open.onsuccess = () => {
      const db = open.result, transaction = db.transaction(STORE, "readwrite");
      const asked = ask(transaction.objectStore(STORE));
      transaction.oncomplete = () => {
        db.close();
        resolve(asked.result as T);
      };
      transaction.onabort = reject;
    };
  });
}
