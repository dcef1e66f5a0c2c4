package rushgate_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/rushgate/rushgate"
)

func TestNewPassword(t *testing.T) {
	const (
		short  = "at least"
		common = "commonest"
		name   = "username"
	)
	tests := []struct {
		name, give, username string
		min                  int
		want, rule           string
	}{
		{"sentence", "correct horse", "alice", 0, "correct horse", ""},
		{"eight characters", "tr4ffic!", "alice", 0, "tr4ffic!", ""},
		{"eight characters of more bytes", "пароль-я", "alice", 0, "пароль-я", ""},
		{"eight in Chinese", "我的密码很安全哦", "alice", 0, "我的密码很安全哦", ""},
		{"normalised", "pa\u00a0ss of mine", "alice", 0, "pa ss of mine", ""},
		{"shorter where that is allowed", "x", "alice", 1, "x", ""},
		{"with the username in it", "alice in wonderland", "alice", 0, "alice in wonderland", ""},

		{"one byte", "x", "alice", 0, "", short},
		{"empty", "", "alice", 0, "", "not allowed"},
		{"seven", "tr4ffic", "alice", 0, "", "at least 8 characters"},
		{"seven in Chinese, though 21 bytes", "我的密码很安全", "alice", 0, "", short},
		{"eight characters before normalisation", "cafe\u0301 ol", "alice", 0, "", short},
		{"longer is asked for", "correct horse", "alice", 14, "", "at least 14 characters"},
		{"common", "password", "alice", 0, "", common},
		{"common, cased", "PassWord123", "alice", 0, "", common},
		{"common, full width", "ｐａｓｓｗｏｒｄ", "alice", 0, "", common},
		{"common, with spaces around", " 12345678 ", "alice", 0, "", common},
		{"numbers", "1234567890", "alice", 0, "", common},
		{"keyboard", "qwertyuiop", "alice", 0, "", common},
		{"one character", "aaaaaaaaaa", "alice", 0, "", common},
		{"spaces", "          ", "alice", 0, "", common},
		{"common, where short ones are allowed", "123456", "alice", 4, "", common},
		{"the username", "wonderland", "wonderland", 0, "", name},
		{"the username, cased", "WonderLand", "wonderland", 0, "", name},
		{"the username, full width", "ｗｏｎｄｅｒｌａｎｄ", "wonderland", 0, "", name},
		{"the username, decomposed", "E\u0301milienne", "émilienne", 0, "", name},
		{"line break", "correct\nhorse", "alice", 0, "", "not allowed"},
		{"too long", strings.Repeat("pq", 129), "alice", 0, "", "256 bytes"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := rushgate.NewPassword(tt.give, tt.username, tt.min)
			if got != tt.want || (err == nil) != (tt.want != "") {
				t.Fatalf("got %q, %v; want %q", got, err, tt.want)
			}
			if err == nil {
				return
			}
			if !errors.Is(err, rushgate.ErrInvalidPassword) || !strings.Contains(err.Error(), tt.rule) {
				t.Errorf("error %q, want one about %q", err, tt.rule)
			}
		})
	}
}
