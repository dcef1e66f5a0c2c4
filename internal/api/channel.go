package api

import (
	"context"
	"errors"
	"net/http"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/auth"
	"github.com/rushgate/rushgate/internal/wschannel"
)

// channelPath is where WebSockets are opened.
const channelPath = "/v1/channel"

// channel opens a WebSocket. Like every connection that has not brought a login yet it may have to make room for
// another, until it has become a player's.
func (h *handler) channel(w http.ResponseWriter, r *http.Request) {
	if h.Channel == nil {
		h.refuse(w, errNoChannel)
		return
	}
	from := h.Proxies.Client(r)
	err := h.Channel.Serve(countedHijacker{w, r}, r, wschannel.Guest{
		Attached: func() { HoldConn(r.Context()) },
		Continue: func(ctx context.Context, token string) error {
			_, err := h.goOn(ctx, from, token, auth.MoveUnlessReachable)
			return err
		},
	})
	handshake, isHandshake := errors.AsType[*wschannel.HandshakeError](err)
	switch {
	case err == nil:
	case !isHandshake:
		h.refuse(w, &rushgate.Refusal{Reason: rushgate.ServerBusy, Cause: err})
	case handshake.Status >= http.StatusInternalServerError:
		h.refuse(w, &rushgate.Refusal{Reason: rushgate.InternalError, Cause: err})
	default:
		h.refuse(w, rejection{handshake.Status, handshake.Message})
	}
}
