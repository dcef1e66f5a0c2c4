// Login registers, asks for the player's state, and logs out and in again, with a client that is generated from the
// OpenAPI document: client.gen.go is made by oapi-codegen.
package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
)

func main() {
	if err := run(context.Background(), os.Args[1], os.Args[2], os.Args[3]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, url, username, password string) error {
	c, err := NewClientWithResponses(url)
	if err != nil {
		return err
	}
	registered, err := c.RegisterWithResponse(ctx, RegisterJSONRequestBody{Username: username, Password: password})
	if err != nil || registered.JSON201 == nil {
		return fmt.Errorf("register: %v, %w", registered, err)
	}
	bearer := func(_ context.Context, r *http.Request) error {
		r.Header.Set("Authorization", "Bearer "+registered.JSON201.SessionToken)
		return nil
	}
	me, err := c.MeWithResponse(ctx, bearer)
	if err != nil || me.JSON200 == nil {
		return fmt.Errorf("me: %v, %w", me, err)
	}
	if left, err := c.LogoutWithResponse(ctx, bearer); err != nil || left.StatusCode() != http.StatusNoContent {
		return fmt.Errorf("logout: %v, %w", left, err)
	}
	wrong, err := c.LoginWithResponse(ctx, LoginJSONRequestBody{Username: username, Password: password + "?"})
	if err != nil || wrong.JSON401 == nil {
		return fmt.Errorf("login with another password: %v, %w", wrong, err)
	}
	again, err := c.LoginWithResponse(ctx, LoginJSONRequestBody{Username: username, Password: password})
	if err != nil || again.JSON200 == nil {
		return fmt.Errorf("login: %v, %w", again, err)
	}
	board, err := c.LeaderboardWithResponse(ctx, "xp", nil)
	if err != nil || board.JSON200 == nil {
		return fmt.Errorf("leaderboard: %v, %w", board, err)
	}
	fmt.Println(me.JSON200.Name, me.JSON200.Zone != "", again.JSON200.PlayerId == me.JSON200.PlayerId,
		len(board.JSON200.Entries), wrong.JSON401.Reason)
	return nil
}
