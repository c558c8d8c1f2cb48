# The core: no I/O. The service around it is in CMakeLists.txt.
radix_core(flock
  SOURCES anti_entropy.cc byte_codec.cc discovery.cc electorate.cc event.cc event_history.cc flock.cc handshake.cc
          key_messages.cc key_ring.cc key_stream.cc leadership.cc lease.cc member_table.cc membership.cc news.cc node.cc
          node_digest.cc node_electorate.cc node_keys.cc node_leadership.cc node_receive.cc node_revoked.cc node_secondary.cc node_send.cc node_statements.cc node_sync.cc
          packet_codec.cc packet_protection.cc pair_keys.cc prober.cc secondary_ring.cc secondary_rotation.cc
          session_tokens.cc standing.cc statement.cc statements.cc suspicion.cc
  DEPS radix_core_confab PkgConfig::sodium absl::status absl::statusor)
if(NOT RADIX_SANITIZE)
  # The simulator spends its time here: an eighth less than with -O2, measured.
  target_compile_options(radix_core_flock PRIVATE $<$<CONFIG:RelWithDebInfo>:-O3>)
endif()

foreach(test anti_entropy damping discovery door electorate event_history flock handshake incumbent key_ring leadership lease member_table membership
        news pace packet_codec packet_protection pair_keys prober replay_window secondary_ring secondary_rotation standing
        statement suspicion)
  radix_test(${test}_test.cc DEPS radix_core_flock)
endforeach()
