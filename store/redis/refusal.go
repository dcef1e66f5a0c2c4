package redis

import (
	"context"
	"errors"
	"strings"

	"github.com/redis/rueidis"
)

func isNoScript(err error) bool {
	e, ok := rueidis.IsRedisErr(err)
	return ok && e.IsNoScript()
}

// isFailure tells what keeps a whole batch from being carried out from what is the matter with one record. Only the
// latter is known by what the server says; all else, such as that memory or the disk is full, that another server is
// the master now, or that the user may not do this any more, has nothing to do with the record and may be over the next
// time.
func isFailure(err error) bool { return err != nil && !rueidis.IsRedisNil(err) && !isAboutRecord(err) }

// isAboutRecord reports that a command or a script has found something else under a key than it can work with.
func isAboutRecord(err error) bool {
	e, ok := rueidis.IsRedisErr(err)
	return ok && isAboutText(e.Error())
}

func isAboutText(text string) bool {
	for _, says := range []string{
		"WRONGTYPE Operation against a key", // alone, or within the report of a script that has failed
		"value is not an integer", "increment or decrement would overflow",
	} {
		if strings.Contains(text, says) {
			return true
		}
	}
	// Lua's, of a value that is not what the script takes it for.
	_, lua, script := strings.Cut(text, "user_script:")
	return script && (strings.Contains(lua, ": attempt to ") || strings.Contains(lua, ": bad argument #"))
}

// isUnavailable tells a server that is not there, or cannot work for now, from one that has refused a connection.
func isUnavailable(err error) bool {
	var e *rueidis.RedisError // a Sentinel's is within another
	if !errors.As(err, &e) {
		return !errors.Is(err, context.Canceled)
	}
	code, _, _ := strings.Cut(e.Error(), " ")
	switch code {
	case "LOADING", "CLUSTERDOWN", "MASTERDOWN", "TRYAGAIN", "READONLY", "MISCONF", "NOREPLICAS", "OOM", "BUSY":
		return true
	}
	return strings.HasPrefix(e.Error(), "max number of clients")
}
