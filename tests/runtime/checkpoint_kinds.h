/* SPDX-License-Identifier: Apache-2.0 */
/* What the families of checkpoint_kinds share. */
#pragma once
#include <fcntl.h>
#include <stddef.h>

extern const char *folder;

void checkpoint(void);
void must(int good, const char *what);             /* else the program ends with the reason */
const char *in_folder(const char *name);           /* valid until the next call */
void show_bytes(const char *what, int fd);
void show_flags(const char *what, int fd);
int open_text(const char *name, int flags, const char *text);

/* checkpoint_files.c */
void files(void);
void memory(void);
void sockets(void);
