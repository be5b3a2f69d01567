package commands

import (
	"crypto"
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/uuid"

	"github.com/collabledger/collabledger/domain"
)

// SessionTokenType is the typ header of a session's token, so that no other token passes for one.
const SessionTokenType = "ledger-session+jwt"

// TokenSigner signs the short-lived token that lets a consultancy's user into the client's application (S9). A token is a secret:
// it is signed anew for every answer and never stored. Ed25519 signs the same claims to the same token.
type TokenSigner struct {
	signer jose.Signer
	keys   jose.JSONWebKeySet
	issuer string

	webhooks []byte // what webhooks' secrets are derived from
}

// webhookKeyInfo names what the key is for that the session key gives to webhooks (RFC 5869).
const webhookKeyInfo = "collabledger webhook secrets"

// sessionClaims are a session token's claims: RFC 7519 names, and what the client's application enforces.
type sessionClaims struct {
	Issuer      string             `json:"iss"`
	Subject     string             `json:"sub"`
	Audience    string             `json:"aud"`
	Expires     int64              `json:"exp"`
	ID          string             `json:"jti"`
	Consultancy string             `json:"consultancyId"`
	Grant       string             `json:"grantId"`
	AccessEpoch int                `json:"accessEpoch"`
	Permissions domain.Permissions `json:"permissions"`
}

// NewTokenSigner signs with a key; issuer names the ledger in the tokens.
func NewTokenSigner(key ed25519.PrivateKey, issuer string) (*TokenSigner, error) {
	public := jose.JSONWebKey{Key: key.Public(), Algorithm: string(jose.EdDSA), Use: "sig"}
	thumbprint, err := public.Thumbprint(crypto.SHA256)
	if err != nil {
		return nil, fmt.Errorf("session key: %w", err)
	}
	public.KeyID = fmt.Sprintf("%x", thumbprint[:8])
	signer, err := jose.NewSigner(
		jose.SigningKey{Algorithm: jose.EdDSA, Key: jose.JSONWebKey{Key: key, KeyID: public.KeyID}},
		(&jose.SignerOptions{}).WithType(SessionTokenType))
	if err != nil {
		return nil, fmt.Errorf("session key: %w", err)
	}
	webhooks, err := hkdf.Key(sha256.New, key.Seed(), nil, webhookKeyInfo, sha256.Size)
	if err != nil {
		return nil, fmt.Errorf("session key: %w", err)
	}
	return &TokenSigner{signer: signer, keys: jose.JSONWebKeySet{Keys: []jose.JSONWebKey{public}}, issuer: issuer, webhooks: webhooks}, nil
}

// Keys are the public keys that verify session tokens.
func (t *TokenSigner) Keys() jose.JSONWebKeySet { return t.keys }

// WebhookSecret is the secret of a webhook, in the form of Standard Webhooks. It is derived anew for every answer and signature and
// never stored; each version is another one.
func (t *TokenSigner) WebhookSecret(webhookID uuid.UUID, version int) string {
	mac := hmac.New(sha256.New, t.webhooks)
	fmt.Fprintf(mac, "%s/%d", webhookID, version) // a hash takes everything
	return "whsec_" + base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// Sign makes the token of a session. Its audience is the client's account.
func (t *TokenSigner) Sign(e domain.ClientAccountOpened) (string, error) {
	claims, err := json.Marshal(sessionClaims{
		Issuer: t.issuer, Subject: domain.User(e.ConsultancyID, e.UserID).String(), Audience: "account:" + e.ClientID.String(),
		Expires: e.ExpiresAt.Unix(), ID: e.SessionID.String(), Consultancy: e.ConsultancyID.String(), Grant: e.GrantID.String(),
		AccessEpoch: e.AccessEpoch, Permissions: e.Permissions,
	})
	if err != nil {
		return "", fmt.Errorf("session token: %w", err)
	}
	signed, err := t.signer.Sign(claims)
	if err != nil {
		return "", fmt.Errorf("session token: %w", err)
	}
	return signed.CompactSerialize()
}
