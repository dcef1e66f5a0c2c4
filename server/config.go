package server

import (
	"crypto/tls"
	"log/slog"
	"net/http"
	"net/netip"
	"time"

	"github.com/rushgate/rushgate"
)

// Backend names a store.
type Backend string

// The stores a node can keep its players in.
const (
	// SQLite keeps them in the data folder.
	SQLite Backend = "sqlite"
	// Redis keeps them in a Redis or Valkey that several nodes may share.
	Redis Backend = "redis"
	// Memory forgets them when the node stops.
	Memory Backend = "memory"
)

const (
	// DefaultHTTPAddr, DefaultAdminAddr, DefaultUDPAddr and DefaultDataDir are what [Config] falls back to.
	DefaultHTTPAddr  = "127.0.0.1:8080"
	DefaultAdminAddr = "127.0.0.1:9090"
	DefaultUDPAddr   = "127.0.0.1:40000"
	DefaultDataDir   = "./rushgate-data"
	// DefaultRememberFor is for how long a device is remembered that is not used.
	DefaultRememberFor = 30 * 24 * time.Hour
	// DefaultAuditKeep is for how long the audit log keeps what operators have done.
	DefaultAuditKeep = 365 * 24 * time.Hour
	// DefaultDeleteAfter is how long after its player has asked for it an account is deleted.
	DefaultDeleteAfter = 7 * 24 * time.Hour
	// DefaultRenameAfter is how long after a rename a player may rename the account again, and DefaultRenameHold for how
	// long nobody else may take the name that was given up.
	DefaultRenameAfter = 30 * 24 * time.Hour
	DefaultRenameHold  = 90 * 24 * time.Hour
	// DatabaseName is the SQLite database's name within the data folder.
	DatabaseName = "rushgate.db"
	// KeysName is the name, within the data folder, of the file with the realtime channel's keys.
	KeysName = "netcode.key"
	// Unbounded is for QueueDepth, OriginFailures, OriginRegistrations and OriginGuests that are to have no bound.
	Unbounded = -1
	// Never is for RememberFor on a node that remembers no devices.
	Never = -1
	// AtOnce is for DeleteAfter on a node that deletes accounts without a grace, for RenameAfter where players may rename
	// their accounts at any time, and for RenameHold where the names that they give up are free at once.
	AtOnce = -1
	// NoUDP is the UDPAddr of a node without a realtime channel but the one for browsers.
	NoUDP = "none"
)

// Config configures a node. The zero value works: it is a node on loopback with the reference world, its players in
// [DefaultDataDir].
type Config struct {
	// HTTPAddr is where players knock, host:port; port 0 lets the system choose. Default [DefaultHTTPAddr].
	HTTPAddr string
	// AdminAddr is where the operator looks, host:port. Beyond loopback it needs AdminTokenFile and TLS. Default
	// [DefaultAdminAddr].
	AdminAddr string
	// AdminTokenFile, if not empty, is the file with what the operator root has to show, who may do everything: at least
	// 32 printable ASCII characters without spaces. Not everybody on the machine may be able to read it. Operators with a
	// name and a token of their own are kept in the store: "rushgate operator" adds them.
	AdminTokenFile string
	// AuditKeep is for how long the audit log keeps what operators have done, 24 h to 87600 h. Default 8760 h.
	AuditKeep time.Duration
	// AdminTLSCert and AdminTLSKey are PEM files, both or neither, with which the admin listener speaks TLS. Without them
	// it does so only beyond loopback, with the certificate of TLS.
	AdminTLSCert, AdminTLSKey string
	// UDPAddr is where the realtime channel is, host:port; port 0 lets the system choose, and [NoUDP] switches the channel
	// off but for browsers. Default [DefaultUDPAddr].
	UDPAddr string
	// UDPPublic is where players reach the realtime channel, one or more of host:port, as behind a router that forwards
	// the port. It goes into the connect tokens. A host may be a name, which is looked up at the start and every 30 s from
	// then on; all of its addresses count, [netcode.MaxAddresses] of them in total at most. Default UDPAddr; required when
	// that stands for all addresses of the machine.
	UDPPublic []string
	// ProtocolID tells games and their incompatible versions apart: a token for another one opens nothing. Default
	// [protocol.ID].
	ProtocolID uint64
	// Boards are the leaderboards that there are, each the name of a number that the world counts, see
	// [rushgate.Numbers]; at most [rushgate.MaxBoards]. Nodes that share a store have the same. A board that is new to
	// players who are there already fills by itself, on Redis within a minute. A Store of the embedder's own has to be
	// opened with them, too. Default xp, level and deaths, which the reference world counts.
	Boards []rushgate.Board
	// Handler, if not nil, answers players what is asked for outside /v1/, /play/, /healthz and /readyz, with the same
	// certificate and on the same connections: a page at /, a shop, the game's own API. It is called from many goroutines
	// at once and bounds by itself what it reads; the node's limits are those on connections and headers. Players show it
	// who they are with the session token, see [Server.Character].
	Handler http.Handler
	// PageTitle is the name of the game on the page at /play/, at most 40 printable characters. Default Rushgate.
	PageTitle string
	// PageAccent is the colour of what stands out on that page, #rrggbb; it is made darker or lighter where it could not
	// be read. Default a green.
	PageAccent string
	// SnapshotRate is how often players are told of the world, in Hz, 1 to 60. Default 20.
	SnapshotRate int
	// SnapshotWorkers is the number of goroutines that encode and send snapshots, 1 to 64. Default the number of cores
	// that the process may use, 64 at most.
	SnapshotWorkers int
	// DataDir holds the database, the node's id, the realtime channel's keys, those of OPAQUE, the state of the line and,
	// with TLS, the certificate and the keys of session tickets. Default [DefaultDataDir].
	DataDir string
	// Backend is the store that the node opens, and closes when it stops. Default [SQLite], unless there is a Store.
	Backend Backend
	// Store, if not nil, is a store of the embedder's own, one that passes the suite of package storetest; Backend has to
	// be empty then. The node opens and closes no store: the caller closes this one once the node has stopped ([Run] or
	// [Server.Stop] has returned, or [Start] has failed), and may give it to several nodes, each with a DataDir of its
	// own. The node finds its id, its keys and its certificate in DataDir as with any other store. What it shows of the
	// way to the store, it asks a store that implements [rushgate.HealthReporter].
	Store rushgate.Store
	// RedisURLs, RedisSentinel and RedisPrefix say where the store [Redis] is; see [redis.Options]. They are for that
	// store only.
	RedisURLs                  []string
	RedisSentinel, RedisPrefix string

	// TLS serves HTTPS, with a self-signed certificate kept in DataDir unless TLSCert and TLSKey are given.
	TLS bool
	// TLSCert and TLSKey are PEM files; both or neither. They imply TLS. The node reads them again when they change; see
	// [Server.Reload].
	TLSCert, TLSKey string
	// TLSNames are DNS names and IP addresses by which players reach the node, for the self-signed certificate, in which
	// they stand beside localhost, the loopback addresses and the machine's name; at most 100. They imply TLS. Default
	// none.
	TLSNames []string
	// ACMEDomains are DNS names for which the node gets certificates by itself, by ACME with TLS-ALPN-01, and renews them;
	// at most 20. The authority has to reach HTTPAddr at port 443 of each. They imply TLS, and that the terms of the
	// authority are agreed to. Accounts, keys and certificates are in the folder acme of DataDir. Default none.
	ACMEDomains []string
	// ACMEEmail is where the authority writes to. Default nowhere.
	ACMEEmail string
	// ACMEDirectory is the URL of the authority, https://. Default [acme.LetsEncrypt].
	ACMEDirectory string
	// GetCertificate, if not nil, has the certificate for a handshake, as in [tls.Config], in place of files and of the
	// self-signed one. It implies TLS, is called from many goroutines at once, and must not block for long.
	GetCertificate func(*tls.ClientHelloInfo) (*tls.Certificate, error)
	// InsecureHTTP allows plain HTTP beyond loopback, for use behind a proxy that speaks TLS.
	InsecureHTTP bool
	// TrustedProxies are the proxies whose word on where a request comes from is believed, in X-Forwarded-For or as
	// ProxyProtocol says. Every machine in a network here can pretend to be any other, so name each proxy by its address.
	// Default none.
	TrustedProxies []netip.Prefix
	// ProxyProtocol demands that connections of TrustedProxies begin with a PROXY header, version 1 or 2, whose source
	// then counts as the peer. Other peers must not send one. Default off.
	ProxyProtocol bool
	// Origins are those of the pages and apps, besides the pages of the node's own host, that may log in and play, like
	// https://play.example.org or capacitor://localhost: scheme, host and, if it is not the scheme's own, port. Pages from
	// files are file://, and with them so are those that any site puts into a sandbox. Default none.
	Origins []string
	// PasskeyOrigins are those of the pages on which players may come in with a passkey in place of a password, like
	// https://play.example.com: https, or http at localhost, a name and no address. Passkeys are made for the host of the
	// first and are good for nothing else, so it must stay what it is; the hosts of others are the same, or below it.
	// Default http://localhost with the port of HTTPAddr, or https with TLS, on a node that is on loopback and behind no
	// TrustedProxies; else none.
	PasskeyOrigins []string
	// IdleTimeout closes connections without a request for so long, 1 s to 1 h. Let a balancer in front close its own
	// before that, or it may send a request into a connection that is being closed. Default 75 s.
	IdleTimeout time.Duration
	// MaxConns bounds the connections open at once, WebSockets included, 16 to 1,048,576; what the process may open bounds
	// it further. Default 16,384.
	MaxConns int

	// Workers is the number of goroutines that take logins and registrations from the queue, 1 to 32. Default 4.
	Workers int
	// QueueDepth is how many logins and registrations may wait, 1 to 1,073,741,824, or [Unbounded]. Default 200.
	QueueDepth int
	// MaxAge is the age at which a waiting request is given up, 1 s to 1 h. Default 25 s. Answers may take 4 s more, for
	// which clients and proxies have to wait.
	MaxAge time.Duration
	// OriginFailures is at how many accounts one address, or one /64 of IPv6, may fail within ten minutes, names that turn
	// out to be taken included, before it is locked out of all accounts but those known there, 1 to 1,048,576, or
	// [Unbounded]. Default 100.
	OriginFailures int
	// OriginRegistrations is how many accounts one address may make within an hour, 1 to 1,048,576, or [Unbounded].
	// Default 1,000.
	OriginRegistrations int
	// OriginGuests is how many guests one address may make within an hour, 1 to 1,048,576, or [Unbounded]. Default 300.
	OriginGuests int
	// OriginShare is how many percent of the places in the world one address may hold, and 16 places in any case, 1 to
	// 100. Default 50.
	OriginShare int
	// LineGrace is for how long a turn in the line is good once it has come, 60 s to 1 h. Default 600 s.
	LineGrace time.Duration
	// LineWork is how many bits of work a place in the line costs, for while the line is being filled on purpose: two to
	// the power of it hashes on average, which clients compute by themselves. Those that know nothing of tickets are given
	// no places then. 1 to 26, or 0 for no work. Default 0.
	LineWork int
	// OpensAt, if not zero, is when the line begins to move: those who come in the twelve hours before it are let in
	// by lot then, and nobody before it; those who come earlier are told to come back later. One that has passed is as
	// good as none.
	OpensAt time.Time
	// AppealURL is where players who are banned can say that this is wrong: https://, at most 200 bytes. They are told of
	// it with the ban. Default none.
	AppealURL string
	// SeatHold is for how long the place in the world of a player is kept who has dropped out, 1 s to 1 h. Default 120 s.
	SeatHold time.Duration
	// PasswordMin is how many characters a new password needs, 1 to 64. The commonest passwords, and the username, are
	// refused whatever their length; those of accounts that there are go on working. Default 8.
	PasswordMin int
	// HashIterations is the cost of new password hashes in iterations of PBKDF2-SHA256, 1,000 to 10,000,000. Default
	// 100,000.
	HashIterations int
	// HashKernel is the way in which hashes are computed, one of [password.Kernels]. Default "auto".
	HashKernel string
	// PepperFile, if not empty, holds the keys that passwords are keyed with before they are hashed; see
	// [password.LoadPepper].
	PepperFile string
	// Opaque says what the node does with OPAQUE (RFC 9807), by which passwords never reach it: [OpaqueOff],
	// [OpaquePrefer] or [OpaqueOnly]. Default off.
	Opaque OpaqueMode
	// OpaqueKeyFile has the keys of OPAQUE, without which those who have registered by it cannot log in: nodes that share
	// a store need the same, and not everybody on the machine may be able to read it. The node reads it again when it
	// changes. Default [OpaqueKeysName] in DataDir, which is made when it is missing.
	OpaqueKeyFile string

	// OIDCFile is a file with the OpenID providers at which players may prove who they are, see docs/identities.md: one
	// JSON object, of at most 64 KiB. The node reads it, and the files that it names, again when they change. Default
	// none.
	OIDCFile string
	// SteamAppID is the game's id at Steam: players may then come in with a ticket of their Steam client's. 1 to
	// 2,147,483,647, or 0 for no tickets. Default 0.
	SteamAppID int
	// SteamKeyFile has the publisher's Web API key, with which Steam is asked about tickets; not everybody on the machine
	// may be able to read it. The node reads it again when it changes. Required with SteamAppID.
	SteamKeyFile string
	// SteamIdentity is what the game passes to GetAuthTicketForWebApi, 1 to 128 printable ASCII characters: tickets for
	// others are of no use here. Default [DefaultSteamIdentity].
	SteamIdentity string
	// SteamReturn is where Steam's page sends browsers back to, https://: /play/back/steam of this node, as players reach
	// it. Default none: browsers do not go to Steam.
	SteamReturn string
	// ProviderNetworks are networks of the operator's in which providers may be called, over plain HTTP too. Without them
	// no address inside a network is called, whatever a provider's name leads to. Default none.
	ProviderNetworks []netip.Prefix
	// Provers prove players by what the game's own program knows of them, each under a name like those of providers: 1 to
	// 32 of a-z, 0-9 and "-", beginning with a letter. The name is part of what accounts keep, so it has to stay. Default
	// none.
	Provers map[string]Prover

	// SMTPURL is the mail server that takes mail to players: "smtps://USER@HOST:465" with TLS, "smtp://USER@HOST:587" with
	// STARTTLS, or "smtp+plain://HOST:25" for one on this machine; the user and the port may be left out. Without it
	// players have no e-mail addresses, and those who lose a password get a code from the operator. Default none.
	SMTPURL string
	// SMTPPasswordFile is the file with the password of that user, a line that not everybody on the machine may be able to
	// read. The node reads it again when it changes.
	SMTPPasswordFile string
	// SMTPCA is a PEM file with the authorities whose certificates the mail server may show, in place of those of the
	// system. Default the system's.
	SMTPCA string
	// MailFrom is whom mail to players is from, "The Game <noreply@example.org>". Required with SMTPURL.
	MailFrom string
	// MailTemplates is a folder with texts of mail in place of the node's own, see docs/accounts.md. Default none.
	MailTemplates string

	// World is the game; nil means the reference world from Seed. One that is a [rushgate.Messenger] talks with its
	// players.
	World rushgate.World
	// Seed determines the reference world's chance. Default 0, a seed like any other.
	Seed uint64
	// Policy, if not nil, is asked before each login and registration, and each return with a token of an earlier one
	// ([rushgate.KnockResume]), and before anything costly is done for it: nil lets the player go on to the queue and the
	// password. It is asked once more before an account is made for a guest or a player by the word of a provider
	// ([rushgate.Knock].By), and before a player gets another name ([rushgate.KnockRename]). An error refuses with the
	// [rushgate.Reason] that it carries, best a [rushgate.Refusal], which can say when to come back and, for the log only,
	// why; an error without a reason, and a panic, are logged and told as [rushgate.InternalError]. No refusal counts as
	// the player's failure. In place of a refused name that a provider has proposed, the account gets one by chance, about
	// which Policy is asked as well: that refusal stands. Policy is called from many goroutines at once, in the player's
	// way: it must not block. The name is what the client claims, proved by nothing yet.
	Policy func(rushgate.Knock) error
	// Zones are the zones that other nodes on the same store serve, each with where players reach that node, host:port.
	// Who is in one of them is sent there at login ([rushgate.WrongZone]). Zones not listed are served here. Default
	// none.
	Zones map[string]string
	// MessagesPerTick caps the messages handled per tick, 1 to 1,000,000. Default 2,000.
	MessagesPerTick int
	// MaxPlayers is how many players may be inside at once, 1 to 1,000,000. Default 10,000.
	MaxPlayers int
	// SessionTimeout ends sessions without a call for so long, 1 s to 1 h. Default 30 s.
	SessionTimeout time.Duration

	// RememberFor is for how long a device is remembered that is not used: players whose clients ask for it come in from
	// it without a password. 1 s to 8760 h, or [Never]. Default 720 h.
	RememberFor time.Duration
	// GuestKeep has players come in as guests, by a device alone, and is for how long a guest's account is kept that is
	// not used. 1 h to 87600 h. Default 0 s: there are no guests.
	GuestKeep time.Duration
	// DeleteAfter is how long after its player has asked for it an account is deleted; until then the player can take it
	// back. 1 s to 8760 h, or [AtOnce]. Default 168 h.
	DeleteAfter time.Duration
	// RenameAfter is how long after a rename a player may rename the account again; the first time is always free. 1 s to
	// 87600 h, or [AtOnce]. Default 720 h.
	RenameAfter time.Duration
	// RenameHold is for how long a name that was given up is held: nobody else can take it, nor be taken for who had it.
	// 1 s to 87600 h, or [AtOnce]. Default 2160 h.
	RenameHold time.Duration
	// PublicAddress is where players reach this very node over HTTP, host:port, if nodes on the same store have addresses
	// of their own: a client whose session is here, and that asks another node for it, is sent here. Without it the
	// session moves to the node that is asked. Default none.
	PublicAddress string

	// Handover has [Start] look for a node that runs on the same DataDir, and go on in its place with its players inside:
	// they keep sessions, connections and where they stand, and that node ends; see [Server.HandedOver]. Everything is
	// tried out before that node is disturbed, and whatever fails, it goes on; Start then returns an error, which wraps
	// [ErrNotHandedOver]. Where no node runs, it is an ordinary start. HTTPAddr, AdminAddr, UDPAddr and ProtocolID have to
	// be those of that node, and World a [rushgate.Checkpointer]. Not for the backend [Memory], and not on Windows.
	Handover bool
	// InCharge, if not nil, is called when this process has become the one that is the node, for a service manager that
	// has to know which that is, as by MAINPID= and READY=1 of sd_notify: once the node accepts, or, if it goes on in
	// place of another process, before that ends; and again each time that another was to go on in its place, may have
	// said the same of itself, and has ended. It is called by one goroutine at a time, while players wait: it has to
	// return at once, and must not wait for the node.
	InCharge func()
	// DrainTimeout bounds an orderly stop, 1 s to 1 h. Default 15 s.
	DrainTimeout time.Duration
	// Logger defaults to slog.Default. It is called in the way of players, so its handler must not wait for an output that
	// may stop taking lines, as a pipe does that is not read.
	Logger *slog.Logger
	// LogLinesLost, if not nil, returns how many lines of the log were lost so far, for the metrics. It is called from
	// many goroutines and must not block.
	LogLinesLost func() uint64
}
