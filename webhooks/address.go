package webhooks

import (
	"fmt"
	"net/netip"
	"syscall"

	"github.com/collabledger/collabledger/domain"
)

// refusedIPv4 are the networks that the ledger sends nothing to: all that the registry of special-purpose addresses (RFC 6890) has,
// multicast, and what clouds serve credentials at outside of those.
func refusedIPv4() []netip.Prefix {
	return prefixes(
		"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24",
		"192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
		"168.63.129.16/32",
	)
}

// publicIPv6 is all of IPv6 that is given out to the public. IPv4-mapped addresses, NAT64, loopback, unique-local, link-local and
// multicast are outside of it.
const publicIPv6 = "2000::/3"

// refusedIPv6 is what is special in the public part: protocols (Teredo among them), documentation and 6to4, which carries an IPv4
// address.
func refusedIPv6() []netip.Prefix {
	return prefixes("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")
}

func prefixes(texts ...string) []netip.Prefix {
	all := make([]netip.Prefix, len(texts))
	for i, text := range texts {
		all[i] = netip.MustParsePrefix(text)
	}
	return all
}

// isPublic tells whether an address is one of the public internet.
func isPublic(address netip.Addr) bool {
	refused := refusedIPv4()
	if !address.Is4() {
		if address.Zone() != "" || !netip.MustParsePrefix(publicIPv6).Contains(address) {
			return false
		}
		refused = refusedIPv6()
	}
	for _, network := range refused {
		if network.Contains(address) {
			return false
		}
	}
	return true
}

// checkAddress refuses connections to what is not on the public internet. A dialer asks it with the very address that it is about to
// connect to, once names are resolved, so that a name which stands for another address by then does not get around it.
func checkAddress(_, address string, _ syscall.RawConn) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("address %q: %w", address, err)
	}
	if !isPublic(to.Addr()) || !domain.MayReceiveWebhooks(to.Port()) {
		return errInternal
	}
	return nil
}
