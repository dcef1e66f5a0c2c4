package redis_test

import (
	"context"
	"log"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/store/redis"
)

// A store on one server, and what to say of its settings before players rely on it. For a Cluster or Sentinels give
// several URLs, see [redis.Options].
func Example() {
	ctx := context.Background()
	store, err := redis.Open(ctx, redis.Options{URLs: []string{"redis://127.0.0.1:6379"}})
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close()
	warnings, err := store.Durability(ctx)
	if err != nil {
		log.Print(err)
		return
	}
	for _, w := range warnings {
		log.Print("the server may lose what it acknowledges: ", w)
	}
	best, err := store.Top(ctx, rushgate.BoardXP, 10)
	if err != nil {
		log.Print(err)
		return
	}
	for _, r := range best {
		log.Printf("%d. %s %d", r.Rank, r.Name, r.Score)
	}
}
