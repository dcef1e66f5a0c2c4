// Package server assembles a node from its parts, runs it and takes it down in order.
//
// A node is a program of a few lines. [Run] is for one that does nothing else:
//
//	func main() {
//		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
//		defer stop()
//		err := server.Run(ctx, server.Config{World: newGame()}, func(s *server.Server) {
//			log.Print("players knock at ", s.HTTPAddr())
//		})
//		if err != nil {
//			log.Fatal(err)
//		}
//	}
//
// [Start] and [Server.Stop] are for programs that have more to do, tests among them: with port 0 in the addresses and
// Backend [Memory] any number of nodes run side by side.
//
// # Configuration
//
// The zero [Config] works: the reference game on loopback, its players in a SQLite database in ./rushgate-data.
// Passwords do not travel in the clear, so beyond loopback the start fails without TLS, or without InsecureHTTP for a
// node behind a proxy that speaks it. Every error about a setting wraps [ErrInvalidConfig] and names the setting.
//
// # Parts of your own
//
// [Config].World is the game. Store is where players are kept, if it is to be neither of the Backends; the caller opens
// it before the node and closes it after. Policy is asked about every login and registration before anything costly is
// done for it. docs/embedding.md explains what each may and may not do.
//
// # What a node owns
//
// A node opens three sockets: HTTP for players, HTTP for the operator, and UDP for play. Everything that it starts has
// ended when Stop returns: requests in the queue are answered, every player is saved, their leases are released, and
// the store is closed, unless it is the caller's.
//
// # Who is inside
//
// [Server.Players] lists the players inside, and [Server.End] ends the session of one. What else an operator does is on
// the listener at [Server.AdminAddr].
//
// # Stability
//
// This package follows semantic versioning: until v1.0.0 a minor version may change exported names, a patch version
// never, and CHANGELOG.md says which ones did. [Config] may get a field in any version; the zero value of a new one
// means what was so before.
package server
