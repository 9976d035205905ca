# libdsm.so lives in the program's process before the runtime does: plain C and C++, libc only.
libdsm_so_objects := $(OBJ)/libdsm/preload/preload.pic.o $(OBJ)/libdsm/preload/dsm_api.pic.o
DEPS += $(libdsm_so_objects:.o=.d)

$(OBJ)/libdsm/preload/%.pic.o: libdsm/preload/%.cc $(flags_stamp)
	@mkdir -p $(@D)
	@echo "  CXX   $<"
	@$(CXX) $(CPPFLAGS) -std=c++20 $(OPT) -g $(WARN) -fPIC -fno-exceptions -fno-rtti -MMD -MP -c -o $@ $<

$(OBJ)/libdsm/preload/%.pic.o: libdsm/preload/%.c $(flags_stamp)
	@mkdir -p $(@D)
	@echo "  CC    $<"
	@$(CC) $(CPPFLAGS) -std=gnu11 $(OPT) -g $(WARN) -fPIC -MMD -MP -c -o $@ $<

$(O)/lib/libdsm.so: $(libdsm_so_objects)
	@mkdir -p $(@D)
	@echo "  LINK  $@"
	@$(CC) -shared -Wl,-soname,libdsm.so -Wl,-z,now -o $@ $^

LIBRARIES += $(O)/lib/libdsm.so
INSTALL_LIBS += $(O)/lib/libdsm.so
