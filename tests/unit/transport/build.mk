transport_libs := dsm_transport dsm_os dsm_base
$(eval $(call test,transport_test,$(wildcard tests/unit/transport/*_test.cc) $(addprefix tests/unit/transport/,recorder.cc meddler.cc),\
                  $(transport_libs),-luring -lssl -lcrypto))
