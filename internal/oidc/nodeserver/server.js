// An OpenID provider that others have written, oidc-provider, as a test needs it: everybody who comes is logged in as
// the one player. Its argument is where browsers are sent back to. It prints its issuer, changes its key for each line
// that it reads, saying so, and ends with its standard input.
import { generateKeyPairSync } from 'node:crypto';
import { createServer } from 'node:http';
import { createInterface } from 'node:readline';
import { Provider } from 'oidc-provider';

console.info = console.warn = console.error; // what it has to say goes beside what it is asked

const redirect = process.argv[2];
const player = 'player-1';
let issuer, provider, generation = 0;

function rotate() {
  generation += 1;
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const key = { ...privateKey.export({ format: 'jwk' }), kid: `key-${generation}`, alg: 'ES256', use: 'sig' };
  const client = { redirect_uris: [redirect], id_token_signed_response_alg: 'ES256', response_types: ['code'] };
  provider = new Provider(issuer, {
    jwks: { keys: [key] },
    clients: [
      { ...client, client_id: 'web', client_secret: 'secret of the web' },
      { ...client, client_id: 'native', application_type: 'native', token_endpoint_auth_method: 'none' },
    ],
    claims: { openid: ['sub'], profile: ['preferred_username'], email: ['email', 'email_verified'] },
    findAccount: (ctx, id) => ({
      accountId: id,
      claims: () => ({ sub: id, preferred_username: 'Ada\u0000 L.', email: 'ada@example.org', email_verified: true }),
    }),
    interactions: { url: (ctx, interaction) => `/interaction/${interaction.uid}` },
    features: { devInteractions: { enabled: false } },
    cookies: { keys: ['of a test'] },
  });
}

// interact logs the player in, and has all that is asked for granted.
async function interact(req, res) {
  const { prompt, params, session } = await provider.interactionDetails(req, res);
  if (prompt.name === 'login') {
    return provider.interactionFinished(req, res, { login: { accountId: player } });
  }
  const grant = new provider.Grant({ accountId: session.accountId, clientId: params.client_id });
  grant.addOIDCScope(params.scope);
  return provider.interactionFinished(req, res, { consent: { grantId: await grant.save() } });
}

const server = createServer((req, res) => {
  if (req.url.startsWith('/interaction/')) {
    interact(req, res).catch((err) => {
      res.statusCode = 500;
      res.end(String(err));
    });
    return;
  }
  provider.callback()(req, res);
});
server.listen(0, '127.0.0.1', () => {
  issuer = `http://127.0.0.1:${server.address().port}`;
  rotate();
  console.log(issuer);
});
createInterface({ input: process.stdin })
  .on('line', () => {
    rotate();
    console.log('rotated');
  })
  .on('close', () => process.exit(0));
