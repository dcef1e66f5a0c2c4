// Package e2e has no code of its own: its tests start nodes, open their pages in a real Chromium, and do there what
// players and operators do.
//
// The tests are skipped where chromium is not installed, unless the environment variable CI or
// RUSHGATE_REQUIRE_CHROMIUM is set. Pictures of the pages, for documents, are made by
//
//	go test ./internal/e2e -run Screenshots -screenshots DIR
package e2e
