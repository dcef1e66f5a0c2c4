// Registers, asks for the player's state, and logs out and in again, with a client that is generated from the OpenAPI
// document. schema.d.ts is made by openapi-typescript.
import createClient from "openapi-fetch";
import type { paths } from "./schema.d.ts";

declare const process: { argv: string[] };

const [, , baseUrl, username, password] = process.argv as unknown as [string, string, string, string, string];
const client = createClient<paths>({ baseUrl });

function must<T>(what: string, answer: { data?: T; error?: { reason?: string } | string }): T {
  if (answer.data === undefined) throw new Error(`${what}: ${JSON.stringify(answer.error)}`);
  return answer.data;
}

const registered = must("register", await client.POST("/v1/register", { body: { username, password } }));
const headers = { Authorization: `Bearer ${registered.session_token}` };
const me = must("me", await client.GET("/v1/me", { headers }));
const { response } = await client.POST("/v1/logout", { headers });
if (response.status !== 204) throw new Error(`logout: ${response.status}`);

const wrong = await client.POST("/v1/login", { body: { username, password: password + "?" } });
const again = must("login", await client.POST("/v1/login", { body: { username, password, takeover: false } }));
const board = must("leaderboard", await client.GET("/v1/leaderboards/{board}", { params: { path: { board: "xp" } } }));
console.log(me.name, me.zone !== "", again.player_id === me.player_id, board.entries.length, wrong.error?.reason);
