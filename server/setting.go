package server

import (
	"errors"
	"fmt"
	"net"
	"os"
	"reflect"

	"github.com/rushgate/rushgate/internal/certificate"
)

// ErrInvalidConfig is wrapped by the errors for settings that cannot be.
var ErrInvalidConfig = errors.New("invalid configuration")

// SettingError is why a node does not start that one setting is to blame for, or can help: an address that another
// program has, a certificate that cannot be read, or, with [ErrInvalidConfig], a value that cannot be. A program with
// names of its own for settings, such as flags, finds it with [errors.As] and says which one to change.
type SettingError struct {
	// Setting is the name of the field of [Config] to change. It need not be the one whose value does not go with it: for
	// plain HTTP at an address beyond this machine it is TLS.
	Setting string
	// Err says what is wrong. It never holds a secret.
	Err error
}

// Error returns what is wrong, without the name of the setting.
func (e *SettingError) Error() string { return e.Err.Error() }

// Unwrap returns Err.
func (e *SettingError) Unwrap() error { return e.Err }

// wrong returns the error of a setting that cannot be as it is.
func wrong(setting, format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrInvalidConfig, &SettingError{setting, fmt.Errorf(format, args...)})
}

// nameOf returns the name of the field of the configuration that a pointer points to.
func (c *Config) nameOf(field any) string {
	fields := reflect.ValueOf(c).Elem()
	for i := range fields.NumField() {
		if fields.Field(i).CanInterface() && fields.Field(i).Addr().Interface() == field {
			return fields.Type().Field(i).Name
		}
	}
	return ""
}

// tryOut finds out what would keep a node from starting, as far as that can be told before anything is made or opened,
// so that a start in vain leaves nothing behind. It leaves the addresses alone where a node is to be replaced, or has
// run: its players may be knocking already, and would find the door shut again.
func (c Config) tryOut(replaces bool) error {
	if c.TLSCert != "" {
		if _, err := certificate.NewPair(c.TLSCert, c.TLSKey, nil); err != nil {
			return fmt.Errorf("server: TLS certificate: %w", &SettingError{"TLSCert", err})
		}
	}
	if c.AdminTLSCert != "" {
		if _, err := certificate.NewPair(c.AdminTLSCert, c.AdminTLSKey, nil); err != nil {
			return fmt.Errorf("server: TLS certificate of the admin listener: %w", &SettingError{"AdminTLSCert", err})
		}
	}
	if _, err := os.Stat(c.DataDir); replaces || err == nil {
		return nil
	}
	for _, at := range []struct{ setting, name, addr string }{
		{"HTTPAddr", "HTTP", c.HTTPAddr}, {"AdminAddr", "admin", c.AdminAddr},
	} {
		l, err := listenTCP(at.addr)
		if err != nil {
			return fmt.Errorf("server: %s listener: %w", at.name, &SettingError{at.setting, err})
		}
		defer func() { _ = l.Close() }() // nothing was accepted
	}
	if c.UDPAddr == NoUDP {
		return nil
	}
	conn, err := net.ListenPacket("udp", c.UDPAddr)
	if err != nil {
		return fmt.Errorf("server: UDP listener: %w", &SettingError{"UDPAddr", err})
	}
	return conn.Close()
}
