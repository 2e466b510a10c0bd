import { describe, it } from 'node:test';
import { describeAuthStrategy } from 'qelos-auth/testing';
import { create } from './contract';

describeAuthStrategy('vault', { describe, it, create });
