package redis

import (
	"crypto/sha1"
	"embed"
	"encoding/hex"
)

// script is a Lua script that Redis carries out at once and whole. Each touches one key only, or two that are always on
// one server, so that it runs on one node of a Cluster. What it is given reaches it as KEYS and ARGV: nothing that a
// player has chosen is ever code.
//
// All but delete, import, take, and an update that raises the epoch can be repeated when their outcome is unknown: the
// repeat changes nothing more and has the same answer, save that an admission is then found resumed, and that ids
// reserved before are left unused.
type script struct {
	source string
	sha    string
}

//go:embed scripts/*.lua
var sources embed.FS

var (
	admitScript       = newScript("record", "session", "devices", "credentials", "free", "admit")
	saveScript        = newScript("session", "credentials", "save")
	refreshScript     = newScript("refresh")
	presenceScript    = newScript("presence")
	createScript      = newScript("free", "create")
	updateScript      = newScript("session", "devices", "credentials", "update")
	deleteScript      = newScript("delete")
	mayLeaveScript    = newScript("move", "mayleave")
	reserveNameScript = newScript("move", "reservename")
	departScript      = newScript("move", "depart")
	arriveScript      = newScript("move", "arrive")
	settleScript      = newScript("move", "settle")
	returnScript      = newScript("move", "return")
	unmarkScript      = newScript("unmark")
	sweepScript       = newScript("sweep")
	holdScript        = newScript("hold")
	loadHoldScript    = newScript("loadhold")
	noteEventScript   = newScript("noteevent")
	planScript        = newScript("plan")
	takeScript        = newScript("take")
	dropScript        = newScript("drop")
	loadTaskScript    = newScript("loadtask")
	appendScript      = newScript("append")
	importScript      = newScript("free", "import")
	claimScript       = newScript("claim")
	noteScript        = newScript("note")
	unclaimScript     = newScript("unclaim")
	keeperScript      = newScript("keeper")
	probeScript       = newScript("probe")
	swapScript        = newScript("swap")
	claimIdentity     = newScript("claimidentity")
	beatScript        = newScript("beat")
	reserveScript     = newScript("counter", "reserve")
	beginImportScript = newScript("counter", "beginimport")
)

// newScript puts a script together from its parts, of which the last is the script itself.
func newScript(parts ...string) *script {
	source := mustRead("prelude")
	for _, part := range parts {
		source += mustRead(part)
	}
	sum := sha1.Sum([]byte(source))
	return &script{source: source, sha: hex.EncodeToString(sum[:])}
}

func mustRead(name string) string {
	b, err := sources.ReadFile("scripts/" + name + ".lua")
	if err != nil {
		panic(err) // the file is part of the package
	}
	return string(b)
}
