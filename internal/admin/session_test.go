package admin_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"
)

// An operator who looks on does so for as long as the login lasts.
func TestStreamsEndWithTheLogin(t *testing.T) {
	for name, end := range map[string]func(h http.Handler, cookie string){
		"logout": func(h http.Handler, cookie string) { do(h, "POST", "/logout", "", "Cookie", cookie) },
		"expiry": func(http.Handler, string) { time.Sleep(12 * time.Hour) },
		"others": func(h http.Handler, _ string) {
			for range 64 {
				login(h, secret)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := guarded(t)
				c := cookie(t, login(h, secret))
				r := httptest.NewRequestWithContext(t.Context(), "GET", "/events", nil)
				r.Host = "127.0.0.1:9090"
				r.Header.Set("Cookie", c.Name+"="+c.Value)
				ended := make(chan struct{})
				go func() { h.ServeHTTP(httptest.NewRecorder(), r); close(ended) }()
				time.Sleep(time.Hour)
				synctest.Wait()
				select {
				case <-ended:
					t.Fatal("it ends before the login")
				default:
				}
				end(h, c.Name+"="+c.Value)
				synctest.Wait()
				select {
				case <-ended:
				default:
					t.Error("the stream goes on")
				}
			})
		})
	}
}
