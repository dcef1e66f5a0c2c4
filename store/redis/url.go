package redis

import (
	"cmp"
	"crypto/tls"
	"errors"
	"net"
	"net/url"
	"strconv"
	"strings"

	"github.com/redis/rueidis"
)

// ErrInvalidURL is wrapped by the errors of [Open] about an address. They never repeat it, for it may hold a password.
var ErrInvalidURL = errors.New("redis: not of the form redis[s]://[user:password@]host[:port][/database]")

// errURLsDiffer says that two addresses are not those of one system.
var errURLsDiffer = errors.New("redis: the addresses of one system differ in scheme, user, password or database")

// target is what one URL says.
type target struct {
	address        string
	tls            bool
	user, password string
	database       int
}

func parseURL(s string) (target, error) {
	u, err := url.Parse(s)
	if err != nil || u.Hostname() == "" || strings.Contains(u.Host, ",") || u.RawQuery != "" || u.Fragment != "" {
		return target{}, ErrInvalidURL
	}
	t := target{}
	switch u.Scheme {
	case "redis", "valkey":
	case "rediss", "valkeys":
		t.tls = true
	default:
		return target{}, ErrInvalidURL
	}
	port := u.Port()
	if port == "" {
		port = "6379"
	}
	t.address = net.JoinHostPort(u.Hostname(), port)
	if u.User != nil {
		t.user = u.User.Username()
		t.password, _ = u.User.Password()
	}
	if path := strings.TrimPrefix(u.Path, "/"); path != "" {
		n, err := strconv.ParseUint(path, 10, 16)
		if err != nil {
			return target{}, ErrInvalidURL
		}
		t.database = int(n)
	}
	return t, nil
}

// clientOption turns addresses into what the client takes. The dialer has to be closed.
func clientOption(opts *Options) (rueidis.ClientOption, *dialer, error) {
	urls := opts.URLs
	if len(urls) == 0 {
		urls = []string{"redis://127.0.0.1:6379"}
	}
	var first target
	var addresses []string
	for i, s := range urls {
		t, err := parseURL(s)
		if err != nil {
			return rueidis.ClientOption{}, nil, err
		}
		addresses = append(addresses, t.address)
		t.address = ""
		if i == 0 {
			first = t
		} else if t != first {
			return rueidis.ClientOption{}, nil, errURLsDiffer
		}
	}
	servers := &dialer{}
	o := rueidis.ClientOption{
		InitAddress:      addresses,
		Username:         first.user,
		Password:         first.password,
		SelectDB:         first.database,
		Dialer:           net.Dialer{Timeout: dialTimeout},
		DialCtxFn:        servers.dial,
		ConnWriteTimeout: cmp.Or(opts.patience, callTimeout),
		ClientName:       "rushgate",
		DisableCache:     true,
		// All calls share one connection per server. With more of them the client picks one at random, and what is sent
		// later could be carried out earlier.
		PipelineMultiplex:   -1,
		ReadBufferEachConn:  64 << 10,
		WriteBufferEachConn: 64 << 10,
		// A call's deadline then ends the call and not the connection that others use.
		AlwaysPipelining: true,
	}
	if first.tls || opts.TLS != nil {
		o.TLSConfig = opts.TLS
		if o.TLSConfig == nil {
			o.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12}
		}
	}
	if opts.SentinelMaster != "" {
		// The client has a way of its own with Sentinels, which trusts what they say to have the right form, and which
		// keeps to a connection whose server has said that it is a replica.
		option := o
		option.Username, option.Password, option.SelectDB = opts.SentinelUser, opts.SentinelPassword, 0
		option.DialCtxFn, option.ForceSingleClient, option.DisableRetry = (&dialer{}).dial, true, true
		servers.sentinels = newSentinels(opts.SentinelMaster, addresses, option)
		o.InitAddress = []string{opts.SentinelMaster}
		o.ForceSingleClient = true
	}
	o.ClusterOption.ShardsRefreshInterval = topologyRefresh
	return o, servers, nil
}
