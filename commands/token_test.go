package commands

import (
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/collabledger/collabledger/domain"
)

var errNoSessionToken = errors.New("this is no session's token of this ledger")

// admit is what a client's application does with a session's token: it takes the ledger's published keys and lets nobody in
// whose token is of another type, key, issuer or audience, or out of date.
func admit(token string, published []byte, audience string, now time.Time) (sessionClaims, error) {
	var keys jose.JSONWebKeySet
	if err := json.Unmarshal(published, &keys); err != nil {
		return sessionClaims{}, err
	}
	parsed, err := jwt.ParseSigned(token, []jose.SignatureAlgorithm{jose.EdDSA})
	if err != nil {
		return sessionClaims{}, err
	}
	header := parsed.Headers[0]
	found := keys.Key(header.KeyID)
	if header.ExtraHeaders[jose.HeaderType] != SessionTokenType || len(found) != 1 {
		return sessionClaims{}, errNoSessionToken
	}
	var registered jwt.Claims
	var claims sessionClaims
	if err := parsed.Claims(found[0], &registered, &claims); err != nil {
		return sessionClaims{}, err
	}
	if registered.Expiry == nil {
		return sessionClaims{}, jwt.ErrExpired
	}
	return claims, registered.ValidateWithLeeway(jwt.Expected{Issuer: testIssuer, AnyAudience: jwt.Audience{audience}, Time: now}, 0)
}

// TestSessionToken: the token says who may do what where until when, and is verified with the published keys alone.
func TestSessionToken(t *testing.T) {
	n := newNode(t)
	n.happened(inside...)
	n.setClock(noon)
	opened := n.must(by(firmManager, OpenClientAccount{theirs, "Monthly closing"})).Result.(SessionResult)
	published, err := json.Marshal(n.Tokens.Keys())
	require.NoError(t, err)
	audience := "account:" + shopID.String()

	claims, err := admit(opened.Token, published, audience, noon)
	require.NoError(t, err)
	require.Equal(t, sessionClaims{
		Issuer: testIssuer, Subject: firmManager.String(), Audience: audience, Expires: opened.ExpiresAt.Unix(), ID: opened.SessionID.String(),
		Consultancy: firmID.String(), Grant: grantID.String(), AccessEpoch: 1, Permissions: financeMay,
	}, claims)

	_, err = admit(opened.Token, published, audience, opened.ExpiresAt.Add(-time.Second))
	require.NoError(t, err, "until its end")
	_, err = admit(opened.Token, published, audience, opened.ExpiresAt.Add(time.Second))
	require.ErrorIs(t, err, jwt.ErrExpired)
	_, err = admit(opened.Token, published, "account:"+otherShopID.String(), noon)
	require.ErrorIs(t, err, jwt.ErrInvalidAudience)
}

// TestSessionTokenOfAnotherKey: neither another ledger's token nor one whose claims were changed lets anybody in.
func TestSessionTokenOfAnotherKey(t *testing.T) {
	ours, err := NewTokenSigner(testKey, testIssuer)
	require.NoError(t, err)
	published, err := json.Marshal(ours.Keys())
	require.NoError(t, err)
	theirs, err := NewTokenSigner(ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)), testIssuer)
	require.NoError(t, err)
	require.NotEqual(t, ours.Keys().Keys[0].KeyID, theirs.Keys().Keys[0].KeyID)
	audience := "account:" + shopID.String()

	foreign, err := theirs.Sign(login)
	require.NoError(t, err)
	_, err = admit(foreign, published, audience, morning)
	require.ErrorIs(t, err, errNoSessionToken)

	genuine, err := ours.Sign(login)
	require.NoError(t, err)
	widened := login
	widened.ExpiresAt = noon.AddDate(1, 0, 0)
	other, err := ours.Sign(widened)
	require.NoError(t, err)
	genuineParts, otherParts := splitToken(genuine), splitToken(other)
	_, err = admit(genuineParts[0]+"."+otherParts[1]+"."+genuineParts[2], published, audience, morning)
	require.ErrorIs(t, err, jose.ErrCryptoFailure)

	key := jose.JSONWebKey{Key: testKey, KeyID: ours.Keys().Keys[0].KeyID}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.EdDSA, Key: key}, (&jose.SignerOptions{}).WithType("JWT"))
	require.NoError(t, err)
	claims := jwt.Claims{Issuer: testIssuer, Audience: jwt.Audience{audience}, Expiry: jwt.NewNumericDate(noon)}
	ofAnotherType, err := jwt.Signed(signer).Claims(claims).Serialize()
	require.NoError(t, err)
	_, err = admit(ofAnotherType, published, audience, morning)
	require.ErrorIs(t, err, errNoSessionToken)
}

// TestKeysArePublic: what is published does not sign.
func TestKeysArePublic(t *testing.T) {
	tokens, err := NewTokenSigner(testKey, testIssuer)
	require.NoError(t, err)
	require.Len(t, tokens.Keys().Keys, 1)
	key := tokens.Keys().Keys[0]
	require.True(t, key.IsPublic())
	require.Equal(t, "sig", key.Use)
	require.Equal(t, string(jose.EdDSA), key.Algorithm)
	again, err := NewTokenSigner(testKey, testIssuer)
	require.NoError(t, err)
	require.Equal(t, tokens.Keys(), again.Keys(), "a restarted ledger publishes the same key under the same id")
}

// TestRepeatedLoginGetsTheSameSession: with a token that is valid, and nothing of it is in the log.
func TestRepeatedLoginGetsTheSameSession(t *testing.T) {
	n := newNode(t)
	n.happened(inside...)
	n.setClock(noon)
	open := by(firmManager, OpenClientAccount{theirs, ""}).under(uuid.New())
	first := n.execute(open)
	n.setClock(noon.Add(10 * time.Minute))
	again := newNodeOn(t, n.Store, n.clock).execute(open)
	require.True(t, again.Repeated)
	require.Equal(t, first.Result, again.Result)
	published, err := json.Marshal(n.Tokens.Keys())
	require.NoError(t, err)
	token := again.Result.(SessionResult).Token
	_, err = admit(token, published, "account:"+shopID.String(), noon.Add(10*time.Minute))
	require.NoError(t, err)

	records, err := n.Store.ReadAll(t.Context(), first.Position-1, 1)
	require.NoError(t, err)
	require.Equal(t, domain.ClientAccountOpened{}.EventType(), records[0].Type)
	require.NotContains(t, string(records[0].Bytes), splitToken(token)[2])
}

// splitToken gives a token's header, claims and signature.
func splitToken(token string) []string { return strings.Split(token, ".") }
