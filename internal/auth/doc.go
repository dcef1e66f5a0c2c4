// Package auth proves who it is that knocks: it takes the passwords of those who have a seat at the door through a
// queue and batching workers, and hands on those who are let in. It knows nothing of HTTP or of databases.
//
// A request's life: [Pool.Submit] asks the [door.Door], which refuses at once or gives it a seat, and queues it. A
// worker takes up to [BatchMax] requests, drops those that have become stale, and takes the rest through three stages:
// load (one call of the store for all accounts), derive (one batch for all passwords), commit (one call of the store,
// which creates accounts and claims session leases). Those who are admitted are handed to the world by [Config].Enter.
// With the answer the seat is closed, by what has become of the request.
//
// Hashes that take long, such as those of other systems, leave the batch after the first stage for a lane with a worker
// and a bound of their own.
package auth
