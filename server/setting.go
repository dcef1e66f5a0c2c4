package server

import (
	"context"
	"errors"
	"fmt"
	"os"
	"reflect"

	"github.com/rushgate/rushgate/netcode"
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

// tryOut finds out what would keep a node from starting for the first time, as far as that can be told before its data
// folder is made, so that a start in vain leaves none behind. A node that has run finds it out when it comes to it: its
// players may be knocking already, and would find a door that opens and shuts.
func (c Config) tryOut(ctx context.Context) error {
	if _, err := os.Stat(c.DataDir); err == nil {
		return nil
	}
	if c.TLSCert != "" {
		if _, err := openPair("TLSCert", c.TLSCert, c.TLSKey); err != nil {
			return err
		}
	}
	if c.AdminTLSCert != "" {
		if _, err := openPair("AdminTLSCert", c.AdminTLSCert, c.AdminTLSKey); err != nil {
			return err
		}
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
	conn, err := netcode.ListenUDP(c.UDPAddr, netcode.UDPOptions{})
	if err != nil {
		return fmt.Errorf("server: UDP listener: %w", &SettingError{"UDPAddr", err})
	}
	err = newPublicAddresses(c.UDPPublic, conn.LocalAddr(), c.Logger).begin(ctx)
	return errors.Join(err, conn.Close())
}
