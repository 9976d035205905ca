# Whoever links dsm_transport also needs dsm_os dsm_base and -luring -lssl -lcrypto.
$(eval $(call library,dsm_transport,$(wildcard libdsm/transport/*.cc)))
