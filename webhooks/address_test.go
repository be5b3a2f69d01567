package webhooks

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestOnlyThePublicInternetIsSentTo(t *testing.T) {
	for address, allowed := range map[string]bool{
		"93.184.215.14:443":          true,
		"93.184.215.14:8443":         true,
		"[2606:2800:21f:cb07::]:443": true,

		"93.184.215.14:25":                    false,
		"93.184.215.14:80":                    false,
		"0.0.0.0:443":                         false, // this machine
		"127.0.0.1:443":                       false,
		"127.9.9.9:8443":                      false,
		"10.1.2.3:443":                        false, // private
		"172.16.0.1:443":                      false,
		"172.31.255.255:443":                  false,
		"172.32.0.1:443":                      true,
		"192.168.1.1:443":                     false,
		"100.64.0.1:443":                      false, // carrier-grade NAT
		"100.127.255.255:443":                 false,
		"100.128.0.1:443":                     true,
		"169.254.169.254:443":                 false, // metadata of most clouds
		"100.100.100.200:443":                 false, // of Alibaba's
		"168.63.129.16:443":                   false, // of Azure's
		"192.0.0.192:443":                     false, // of Oracle's
		"198.18.0.1:443":                      false, // benchmarks
		"203.0.113.7:443":                     false, // documentation
		"224.0.0.1:443":                       false, // multicast
		"239.255.255.250:1900":                false,
		"240.0.0.1:443":                       false, // reserved
		"255.255.255.255:443":                 false, // broadcast
		"[::]:443":                            false,
		"[::1]:443":                           false,
		"[::ffff:127.0.0.1]:443":              false, // IPv4-mapped
		"[::ffff:93.184.215.14]:443":          false,
		"[::127.0.0.1]:443":                   false, // IPv4-compatible
		"[64:ff9b::7f00:1]:443":               false, // NAT64
		"[64:ff9b:1::a00:1]:443":              false,
		"[fc00::1]:443":                       false, // unique-local
		"[fd00:ec2::254]:443":                 false, // metadata of Amazon's
		"[fe80::1]:443":                       false, // link-local
		"[fe80::1%eth0]:443":                  false,
		"[ff02::1]:443":                       false, // multicast
		"[2001:0:5ef5:79fd:0:59d:a0e5:0]:443": false, // Teredo
		"[2001:db8::1]:443":                   false, // documentation
		"[2002:7f00:1::]:443":                 false, // 6to4
		"somewhere:443":                       false, // no address at all
	} {
		err := checkAddress("tcp", address, nil)
		if allowed {
			require.NoError(t, err, address)
		} else {
			require.Error(t, err, address)
		}
	}
}
