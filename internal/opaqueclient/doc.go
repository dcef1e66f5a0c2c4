// Package opaqueclient is the client's half of OPAQUE (RFC 9807), whose other half is package opaque: it registers a
// password with a server, and proves it, without showing it.
//
// It stretches the password with Argon2id, three passes over 64 MiB in four lanes, as the npm package
// @serenity-kit/opaque does by default ("memory-constrained", the second recommendation of RFC 9106): what one of them
// registers, the other logs in to. The protocol is that of github.com/bytemare/opaque, which was not audited; its
// version is pinned in go.mod.
//
//	r, request, err := opaqueclient.Register(password)      // send request, get response
//	upload, err := r.Finish(ctx, response, options)         // send upload
//
//	l, ke1, err := opaqueclient.Login(password)             // send ke1, get ke2
//	proof, err := l.Finish(ctx, ke2, options)               // send proof.KE3
package opaqueclient
