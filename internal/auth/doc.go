// Package auth lets players in: a bounded [Queue], a [Pool] of workers that take requests from it in batches, and the
// [Limiter] that keeps out who keeps failing. It knows nothing of HTTP or of databases.
//
// A request's life: [Pool.Submit] asks the limiter once, refuses at once if the queue is full or the wait would be too
// long, and otherwise waits for the answer. A worker takes up to [BatchMax] requests at a time, drops the stale ones,
// and passes the batch through three stages, each one call for all of them: load (accounts from the store), derive
// (keys from passwords), commit (into the store). Who is admitted goes to [Config].Enter, which answers the request;
// everyone else is answered by the worker.
package auth
