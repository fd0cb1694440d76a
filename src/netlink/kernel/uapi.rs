//! Numbers of Linux's headers that the netlink crates keep to themselves, by their names there.

// linux/rtnetlink.h
pub(super) const RTM_NEWLINK: u16 = libc::RTM_NEWLINK;
pub(super) const RTM_DELLINK: u16 = libc::RTM_DELLINK;
pub(super) const RTM_GETLINK: u16 = libc::RTM_GETLINK;
pub(super) const RTM_NEWROUTE: u16 = libc::RTM_NEWROUTE;
pub(super) const RTM_DELROUTE: u16 = libc::RTM_DELROUTE;
pub(super) const RTM_GETROUTE: u16 = libc::RTM_GETROUTE;
pub(super) const RTM_NEWNEXTHOP: u16 = 104;
pub(super) const RTM_DELNEXTHOP: u16 = 105;
pub(super) const RTM_GETNEXTHOP: u16 = 106;
pub(super) const RTA_ENCAP_TYPE: u16 = 21;
pub(super) const RTA_ENCAP: u16 = 22;
pub(super) const RTA_PREF: u16 = 20;
pub(super) const RTA_NH_ID: u16 = 30;
pub(super) const RTNH_F_ONLINK: u8 = 4;

// The same numbers as `libc::AF_*`, in the width of a message's header.
pub(super) const AF_UNSPEC: u8 = 0;
pub(super) const AF_INET: u8 = 2;
pub(super) const AF_INET6: u8 = 10;

// linux/netlink.h
pub(super) const NLMSGERR_ATTR_MSG: u16 = 1;

// linux/nexthop.h
pub(super) const NHA_ID: u16 = 1;
pub(super) const NHA_GROUP: u16 = 2;
pub(super) const NHA_GROUP_TYPE: u16 = 3;
pub(super) const NHA_OIF: u16 = 5;
pub(super) const NHA_ENCAP_TYPE: u16 = 7;
pub(super) const NHA_ENCAP: u16 = 8;
/// The attributes from this one on are counters and flags that do not affect where packets go.
pub(super) const NHA_OP_FLAGS: u16 = 14;

// linux/lwtunnel.h
pub(super) const LWTUNNEL_ENCAP_IP6: u16 = 4;
pub(super) const LWTUNNEL_IP6_ID: u16 = 1;
pub(super) const LWTUNNEL_IP6_DST: u16 = 2;

// linux/if_link.h, linux/if_tunnel.h, linux/ipv6.h
pub(super) const IFLA_INET6_CONF: u16 = 2;
/// The index of `disable_ipv6` in the array of [`IFLA_INET6_CONF`].
pub(super) const DEVCONF_DISABLE_IPV6: usize = 26;
pub(super) const IFLA_VXLAN_UDP_ZERO_CSUM6_RX: u16 = 20;
pub(super) const IFLA_VXLAN_COLLECT_METADATA: u16 = 25;
pub(super) const IFLA_VXLAN_GPE: u16 = 27;
pub(super) const IFLA_IPTUN_PROTO: u16 = 9;
pub(super) const IFLA_IPTUN_COLLECT_METADATA: u16 = 19;
