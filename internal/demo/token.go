package demo

import (
	"encoding/json"
	"fmt"

	"github.com/go-jose/go-jose/v4"

	"github.com/collabledger/collabledger/commands"
)

// tokenHolds checks a log-in's token as the client's application does: with the ledger's public keys, and for this client only.
func (s *stage) tokenHolds(session commands.SessionResult) {
	keys := ask[jose.JSONWebKeySet](s, s.public, "/.well-known/jwks.json", nil)
	if s.err != nil {
		return
	}
	audience, err := tokenAudience(session.Token, keys)
	if err != nil {
		s.deviate("the log-in's token", "signed by a key of /.well-known/jwks.json", err.Error())
		return
	}
	s.holds("the log-in's token verifies with /.well-known/jwks.json and is for La Espiga alone", "account:"+s.cast.espiga.id().String(), audience)
}

// tokenAudience verifies a token and tells whom it is for.
func tokenAudience(token string, keys jose.JSONWebKeySet) (string, error) {
	signed, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.EdDSA})
	if err != nil {
		return "", err
	}
	key := keys.Key(signed.Signatures[0].Protected.KeyID)
	if len(key) != 1 {
		return "", fmt.Errorf("the ledger publishes %d keys named %q", len(key), signed.Signatures[0].Protected.KeyID)
	}
	payload, err := signed.Verify(key[0])
	if err != nil {
		return "", err
	}
	var claims struct {
		Audience string `json:"aud"`
	}
	err = json.Unmarshal(payload, &claims)
	return claims.Audience, err
}
