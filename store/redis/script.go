package redis

import (
	"crypto/sha1"
	"embed"
	"encoding/hex"
)

// script is a Lua script that Redis carries out at once and whole. Each touches one key only, so that it runs on one
// node of a Cluster, and what it is given reaches it as KEYS and ARGV: nothing that a player has chosen is ever code.
//
// All but delete and import can be repeated when their outcome is unknown: the repeat changes nothing more and has the
// same answer, save that an admission is then found resumed, and that ids reserved before are left unused.
type script struct {
	source string
	sha    string
}

//go:embed scripts/*.lua
var sources embed.FS

var (
	admitScript       = newScript("admit")
	saveScript        = newScript("save")
	refreshScript     = newScript("refresh")
	setHashScript     = newScript("sethash")
	deleteScript      = newScript("delete")
	importScript      = newScript("import")
	reserveScript     = newScript("reserve")
	beginImportScript = newScript("beginimport")
	onlineScript      = newScript("online")
	countScript       = newScript("count")
)

func newScript(name string) *script {
	source := mustRead("prelude") + mustRead(name)
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
