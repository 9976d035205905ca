transport_libs := dsm_transport dsm_os dsm_base
$(eval $(call test,transport_test,$(wildcard tests/unit/transport/*_test.cc) tests/unit/transport/recorder.cc,\
                  $(transport_libs),-luring -lcrypto))
